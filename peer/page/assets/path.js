// The path as one line; each hop, and each relay that was refused, open to the
// steps of its verification, in the words of `roundcast verify`.

import { byId, element, fill, setText } from "/dom.js";
import { age, clock } from "/format.js";

const NAME_CHARS_MAX = 24;

const AGAINST = {
  platform: "platform: the cloud is trusted; desk and sponsor need not be",
  operator: "operator: proves nothing against the operator of the host",
  development: "development: software evidence, proves nothing",
};

// What each result is coloured like.
const COLOUR = { passed: "verified", failed: "refused", not_checked: "unknown" };

// The same words as in guarantee.rs of the viewer.
const GUARANTEED = "if any one viewer or relay goes, you miss nothing (the station says so)";
const NOT_GUARANTEED = "if one of those above you goes, you may miss a moment (the station says so)";

export function showGuarantee(guaranteed) {
  const line = byId("guarantee");
  line.hidden = guaranteed === null;
  setText(line, guaranteed ? GUARANTEED : NOT_GUARANTEED);
}

export function showPath(path, refused, now) {
  setText(byId("path"), path.map((hop) => words(hop, now)).join(" -> "));
  showHops(byId("hops"), path, "No path yet.", now);
  showHops(byId("refused"), refused, "None.", now);
}

function showHops(list, hops, none, now) {
  const open = new Set();
  for (const [index, node] of [...list.children].entries()) if (node.open) open.add(index);
  const nodes = hops.map((hop, index) => details(hop, open.has(index)));
  if (nodes.length === 0) nodes.push(element("p", { class: "fine" }, none));
  fill(list, nodes, JSON.stringify(hops));
  for (const [index, hop] of hops.entries()) {
    const summary = list.children[index]?.querySelector(".hop-words");
    if (summary) setText(summary, words(hop, now));
  }
}

// The same line as `path_line` in line.rs.
function words(hop, now) {
  if (hop.kind === "you") return "you";
  const facts = [];
  if (hop.kind === "relay") {
    if (hop.release !== null) facts.push(`release ${releaseWords(hop.release)}`);
    if (hop.assurance !== null) facts.push(hop.assurance);
  }
  const verdict = verdictWords(hop, now);
  if (verdict !== null) facts.push(verdict);
  const label = hop.kind === "peer" ? `peer ${lineName(hop.name)}` : hop.kind;
  return facts.length === 0 ? label : `${label} (${facts.join(", ")})`;
}

function verdictWords(hop, now) {
  if (hop.verified === "reported") {
    return hop.status === "verified" ? "reported" : `${hop.status}, reported`;
  }
  if (hop.status !== "verified") return hop.status;
  if (hop.kind !== "relay") return null;
  if (hop.verified_at_ms === null) return "verified by me";
  return `verified ${age(now - hop.verified_at_ms)} ago by me`;
}

// A name must not be able to write a hop of its own into the line.
function lineName(name) {
  return [...name].slice(0, NAME_CHARS_MAX).join("").replace(/[^A-Za-z0-9._-]/gu, "?");
}

// Channel and version: two words, each as harmless as a name.
function releaseWords(release) {
  return release.split(" ").slice(0, 2).map(lineName).join(" ");
}

function details(hop, open) {
  const node = element("details", { class: "hop" });
  node.open = open;
  const summary = element("summary");
  summary.append(element("span", { class: "hop-words" }));
  if (hop.kind !== "you") {
    // What others say never wears the colour of what was checked here.
    const reported = hop.verified === "reported";
    const mark = element("span", { class: "verdict" }, reported ? `${hop.status}, reported` : hop.status);
    mark.dataset.status = reported ? "unknown" : hop.status;
    summary.append(mark);
  }
  node.append(summary, facts(hop), steps(hop));
  if (hop.saved !== null) node.append(download(hop.saved));
  return node;
}

// The file that `roundcast verify` takes, offline and at any later time.
function download(saved) {
  const button = element("button", { type: "button" }, "Save evidence");
  button.addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([saved], { type: "application/json" }));
    element("a", { href: url, download: "relay.evidence.json" }).click();
    URL.revokeObjectURL(url);
  });
  return button;
}

function facts(hop) {
  const list = element("dl", { class: "facts" });
  const add = (name, value) => {
    if (value === null || value === undefined || value === "") return;
    const pair = element("div");
    const term = element("dt", {}, name);
    const text = element("dd");
    text.append(element("bdi", {}, value));
    pair.append(term, text);
    list.append(pair);
  };
  add("Name", hop.name);
  add("Checked", hop.verified === "by_me" ? "by this client itself" : "reported by others, not checked here");
  add("When", hop.verified_at_ms === null ? null : clock(hop.verified_at_ms));
  add("Release", hop.release);
  add("Assurance", hop.assurance === null ? null : AGAINST[hop.assurance]);
  add("Evidence", hop.evidence);
  if (hop.explanation !== null) {
    const { reason, meaning, subject } = hop.explanation;
    add("Reason", reason);
    add("Judged", [subject.judged, meaning].filter(Boolean).join(": "));
    add("Key", subject.spki);
    add("Order", subject.order);
  }
  return list;
}

function steps(hop) {
  const list = element("ol", { class: "steps" });
  for (const step of hop.explanation?.steps ?? []) {
    const item = element("li");
    const mark = element("span", { class: "verdict" }, step.result.replace("_", " "));
    mark.dataset.status = COLOUR[step.result] ?? "unknown";
    const what = element("bdi", { class: "step-check" }, step.check);
    item.append(mark, what, element("bdi", { class: "fine" }, step.detail));
    list.append(item);
  }
  return list;
}
