// The page: takes views from the client and gives each part its own share.
// Names and texts come from other members: they reach the document as text
// nodes alone (see dom.js), never as markup.

import { byId, element, fill, setText } from "/dom.js";
import { bytes, clock, rate } from "/format.js";
import { showGuarantee, showPath } from "/path.js";
import { behindMs, startPlayer } from "/player.js";
import { showPrompt } from "/prompt.js";
import { showRounds } from "/round.js";
import { showTree } from "/tree.js";

const TICK_MS = 1000;
const NOTICES_MAX = 50;

let view = null;

function showHead() {
  setText(byId("stream"), view.stream || "Roundcast");
  setText(byId("fingerprint"), view.fingerprint);
  document.title = view.stream ? `${view.stream} · Roundcast` : "Roundcast";
  const status = byId("status");
  setText(status, view.status);
  status.dataset.status = view.status;
  const banner = byId("banner");
  banner.hidden = !view.banner;
  setText(banner, view.banner ?? "");
  // The station is the path's end: it has none of its own, and no delay.
  const station = view.role === "station";
  for (const id of ["path", "delay-meter", "hops-card"]) byId(id).hidden = station;
}

// The client measures from the sender's clock to its own; what waits in the
// player's buffer comes on top.
function showMeters() {
  const toClient = view.delay_ms;
  const inPlayer = behindMs();
  const parts = [];
  if (toClient !== null) parts.push(`${toClient} ms to this computer`);
  if (inPlayer !== null) parts.push(`${inPlayer} ms in this player`);
  const whole = (toClient ?? 0) + (inPlayer ?? 0);
  const total = parts.length === 2 ? `${(whole / 1000).toFixed(1)} s: ` : "";
  const none = view.clocks_disagree ? "not measurable: the clocks disagree" : "not measured yet";
  if (view.clocks_disagree && parts.length) parts.push(none);
  setText(byId("delay"), parts.length ? total + parts.join(", ") : none);

  const { bytes: given, rate_bps, limit_bps } = view.upload;
  const limit = limit_bps === null ? "no limit" : `of ${rate(limit_bps)} allowed`;
  setText(byId("upload"), `${bytes(given)}, now ${rate(rate_bps)} (${limit})`);
}

function showInvite() {
  byId("invite").hidden = !view.invite;
  const field = byId("invite-uri");
  if (field.value !== (view.invite ?? "")) field.value = view.invite ?? "";
}

function showNotices() {
  const notices = view.notices.slice(0, NOTICES_MAX);
  const items = notices.map((notice) => {
    const item = element("li", { class: "event" });
    item.dataset.level = notice.level;
    item.append(element("time", {}, clock(notice.at_ms)), element("bdi", {}, notice.text));
    return item;
  });
  if (items.length === 0) items.push(element("li", { class: "fine" }, "Nothing yet."));
  fill(byId("notices"), items, JSON.stringify(notices));
  const counters = Object.entries(view.counters).map(([name, value]) => {
    const pair = element("div");
    pair.append(element("dt", {}, name.replaceAll("_", " ")), element("dd", {}, String(value)));
    return pair;
  });
  fill(byId("counters"), counters, JSON.stringify(view.counters));
}

function show() {
  showHead();
  showInvite();
  showNotices();
  showTree(view.tree);
  tick();
}

// What changes with time alone.
function tick() {
  if (view === null) return;
  const now = Date.now();
  showMeters();
  showPath(view.path, view.refused, now);
  showGuarantee(view.guaranteed);
  showRounds(view.rounds, now);
  showPrompt(view.prompt, now);
}

function listen() {
  const events = new EventSource("/events");
  events.onmessage = (event) => {
    view = JSON.parse(event.data);
    show();
  };
  events.onopen = () => {
    byId("link-lost").hidden = true;
  };
  events.onerror = () => {
    byId("link-lost").hidden = false;
  };
}

byId("invite-copy").addEventListener("click", async () => {
  byId("invite-uri").select();
  await navigator.clipboard.writeText(byId("invite-uri").value);
  setText(byId("invite-copy"), "Copied");
});

startPlayer();
listen();
setInterval(tick, TICK_MS);
