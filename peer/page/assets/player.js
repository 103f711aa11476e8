// Plays the WebSocket's fragments by Media Source Extensions, close to the
// live edge: a queue in front of the source buffer, old media trimmed, the
// rate raised when a little behind, a seek when far behind.

import { byId, setText } from "/dom.js";

const BEHIND_S_SEEK = 3; // further behind: jump
const BEHIND_S_FAST = 1; // further behind: play faster
const BEHIND_S_GOOD = 0.6; // back to the normal rate
const EDGE_S = 0.4; // two fragments in hand after a jump
const RATE_FAST = 1.08; // not heard as a change of pitch
const KEPT_S = 20; // behind the playhead
const QUEUE_MAX = 200; // 40 s of fragments that the browser does not take
const PACE_MS = 250;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 8000;

const Source = globalThis.MediaSource ?? globalThis.ManagedMediaSource;
const video = byId("player");

let socket = null;
let source = null; // MediaSource of the present picture
let buffer = null; // its SourceBuffer, once open
let queue = [];
let placed = false; // whether the playhead was set for this picture
let retryMs = RETRY_MS_MIN;

export function startPlayer() {
  if (!Source) {
    fallBack("This browser has no Media Source Extensions.");
    return;
  }
  video.disableRemotePlayback = true; // ManagedMediaSource asks for it
  byId("unmute").addEventListener("click", () => {
    video.muted = false;
    video.play();
  });
  video.addEventListener("volumechange", showSound);
  video.addEventListener("playing", () => {
    retryMs = RETRY_MS_MIN;
    byId("waiting").hidden = true;
    showSound();
  });
  video.addEventListener("waiting", () => {
    byId("waiting").hidden = false;
  });
  video.addEventListener("error", restart);
  setInterval(pace, PACE_MS);
  connect();
}

// How far the picture is behind what has arrived, or null without a picture.
export function behindMs() {
  const end = edge();
  if (end === null || video.readyState < 2) return null;
  return Math.max(0, Math.round((end - video.currentTime) * 1000));
}

function connect() {
  socket = new WebSocket(`ws://${location.host}/media`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") {
      open(JSON.parse(data).mime);
    } else if (source !== null) {
      queue.push(data);
      append();
    }
  };
  socket.onclose = () => {
    setTimeout(connect, retryMs);
    retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
  };
}

// A picture begins: at first, after a reconnection, after a publisher that
// came back. Its times may have nothing to do with the last one's.
function open(mime) {
  const old = video.src;
  queue = [];
  buffer = null;
  placed = false;
  if (!Source.isTypeSupported(mime)) {
    source = null;
    fallBack(`This browser does not play ${mime}.`);
    return;
  }
  byId("player-fallback").hidden = true;
  const opening = new Source();
  source = opening;
  opening.addEventListener("sourceopen", () => {
    if (source !== opening) return;
    buffer = opening.addSourceBuffer(mime);
    buffer.addEventListener("updateend", append);
    append();
  });
  video.src = URL.createObjectURL(opening);
  if (old) URL.revokeObjectURL(old);
  video.play().catch(() => {}); // refused autoplay: the controls remain
}

function append() {
  if (!buffer || buffer.updating || source.readyState !== "open") return;
  if (trim()) return;
  if (queue.length > QUEUE_MAX) {
    restart();
    return;
  }
  const next = queue.shift();
  if (next === undefined) return;
  try {
    buffer.appendBuffer(next);
  } catch (error) {
    queue.unshift(next);
    if (error.name !== "QuotaExceededError" || !removeBefore(video.currentTime - 1)) restart();
  }
}

// While paused the stream goes on: then the live edge counts, and the playhead
// is brought along when it plays again.
function trim() {
  const from = video.paused ? (edge() ?? 0) : video.currentTime;
  return removeBefore(from - KEPT_S, 5);
}

// Removes what lies before a time, if it is worth it. `updateend` goes on.
function removeBefore(time, least = 0) {
  const ranges = buffer.buffered;
  if (ranges.length === 0 || time - ranges.start(0) <= least) return false;
  buffer.remove(0, time);
  return true;
}

// The decoder gave up, or takes nothing: a new connection begins at a key frame.
function restart() {
  buffer = null;
  source = null;
  queue = [];
  socket.close();
}

function edge() {
  const ranges = video.buffered;
  return ranges.length === 0 ? null : ranges.end(ranges.length - 1);
}

function pace() {
  const end = edge();
  if (end === null || video.paused) return;
  const ranges = video.buffered;
  const start = ranges.start(ranges.length - 1);
  const behind = end - video.currentTime;
  const inGap = video.currentTime < start && ranges.length > 1 && video.readyState < 3;
  if (!placed || behind > BEHIND_S_SEEK || behind < 0 || inGap) {
    placed = true;
    video.currentTime = Math.max(start, end - EDGE_S);
    video.playbackRate = 1;
  } else if (behind > BEHIND_S_FAST) {
    video.playbackRate = RATE_FAST;
  } else if (behind < BEHIND_S_GOOD) {
    video.playbackRate = 1;
  }
}

function showSound() {
  byId("unmute").hidden = !video.muted || video.paused;
}

function fallBack(reason) {
  setText(byId("player-reason"), reason);
  byId("player-fallback").hidden = false;
  byId("waiting").hidden = true;
}
