// The rounds that were bought: by whom, how long, for how many.

import { byId, element, fill, post, setText } from "/dom.js";
import { bytes } from "/format.js";

const MINUTE_MS = 60_000;

export function showRounds(rounds, now) {
  const lines = rounds.map((round) => words(round, now));
  const items = lines.map((line) => {
    const item = element("li");
    item.append(element("bdi", {}, line));
    return item;
  });
  fill(byId("round-list"), items, JSON.stringify(lines));
  byId("round-none").hidden = rounds.length > 0;
  const mine = rounds.some((round) => round.mine);
  if (byId("round-own").hidden === mine) {
    byId("round-own").hidden = !mine;
    byId("round-stop").disabled = false;
    setText(byId("round-state"), "");
  }
}

function words(round, now) {
  const who = round.mine ? "You" : (round.sponsor ?? "Somebody");
  const minutes = Math.max(0, Math.ceil((round.ends_at_ms - now) / MINUTE_MS));
  const parts = [`${who} bought this round`, `${minutes} min left`, `carries ${round.carries}`];
  if (round.left_bytes !== null) parts.push(`${bytes(round.left_bytes)} left`);
  if (round.verified === "reported") parts.push("reported");
  return parts.join(", ");
}

byId("round-stop").addEventListener("click", async () => {
  byId("round-stop").disabled = true;
  const refusal = await post("/stop", { what: "relay" });
  byId("round-stop").disabled = refusal === null;
  setText(byId("round-state"), refusal ?? "Stopping: your relay ends in 10 s.");
});
