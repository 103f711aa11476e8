// Opens a viewer's page in headless Chromium, as a person would, and prints
// what is seen there as JSON lines. Usage: watch.mjs SETTINGS, a JSON object
// of {url, chromium, playwright, profile, picture, accept}.

import { createRequire } from "node:module";

const settings = JSON.parse(process.argv[2]);
const { chromium } = createRequire(import.meta.url)(settings.playwright);

const PLAY_MS = 30_000;
const PROMPT_MS = 90_000;
const RELAY_MS = 60_000;

const problems = [];
const say = (kind, fields = {}) => console.log(JSON.stringify({ kind, ...fields }));

function listen(page) {
  const own = new URL(settings.url).host;
  page.on("pageerror", (error) => problems.push(`script error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "blob:" && url.protocol !== "data:" && url.host !== own) {
      problems.push(`a request to another host: ${url.host}`);
    }
  });
}

const videoState = (page) =>
  page.evaluate(() => {
    const video = document.querySelector("video");
    return { width: video.videoWidth, height: video.videoHeight, time: video.currentTime };
  });

async function playing(page) {
  await page.waitForFunction(() => document.querySelector("video")?.videoWidth > 0, null, { timeout: PLAY_MS });
  const before = await videoState(page);
  await page.waitForFunction(
    (time) => document.querySelector("video").currentTime > time + 2, before.time, { timeout: PLAY_MS });
  const after = await videoState(page);
  say("playing", { width: after.width, height: after.height, from_s: before.time, to_s: after.time });
}

async function pathLine(page, pattern, timeout) {
  await page.waitForFunction(
    (source) => new RegExp(source).test(document.querySelector("#path")?.textContent ?? ""),
    pattern, { timeout });
  say("path", { text: await page.textContent("#path") });
}

async function acceptPrompt(page) {
  await page.waitForSelector("#prompt-accept", { state: "visible", timeout: PROMPT_MS });
  say("prompt", { text: await page.innerText("#prompt") });
  await page.click("#prompt-accept");
  say("accepted");
  // Through the viewer's own relay, verified by the viewer itself.
  await pathLine(page, "^you -> relay \\(release stable [0-9.]+, development, verified \\d+ s ago by me\\) -> station$", RELAY_MS);
}

// The relay's hop opens to the checks in the words of `roundcast verify`.
async function relaySteps(page) {
  const hop = page.locator("#hops .hop").nth(1);
  await hop.locator("summary").click();
  const steps = await hop.locator(".steps li").allInnerTexts();
  for (const check of ["release_rollback", "boot", "live_binding"]) {
    if (!steps.some((step) => step.includes("passed") && step.includes(check))) {
      problems.push(`the relay's hop does not say that ${check} passed: ${steps.join(" | ")}`);
    }
  }
  say("steps", { count: steps.length });
}

async function treeTable(page) {
  const rows = await page.locator("#tree-table tbody tr").count();
  const nodes = await page.locator("#tree-picture *").count();
  if (rows < 2 || nodes < 2) problems.push(`the tree has ${rows} rows and ${nodes} drawn elements`);
  say("tree", { rows, nodes });
}

const context = await chromium.launchPersistentContext(settings.profile, {
  executablePath: settings.chromium,
  headless: true,
  viewport: { width: 1280, height: 1000 },
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const page = await context.newPage();
  listen(page);
  await page.goto(settings.url, { waitUntil: "domcontentloaded" });
  await playing(page);
  if (settings.accept) {
    await pathLine(page, "^you -> .*station", PLAY_MS);
    say("ready");
    await acceptPrompt(page);
    await relaySteps(page);
    await playing(page);
  }
  await treeTable(page);
  await page.screenshot({ path: settings.picture, fullPage: true });
} catch (error) {
  problems.push(error.message);
} finally {
  await context.close();
}
for (const problem of problems) say("problem", { text: problem });
process.exitCode = problems.length === 0 ? 0 : 1;
