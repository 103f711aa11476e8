// The ask to buy a round: everything a person must know stands above the
// button. The focus is never taken: a key pressed elsewhere must not buy.

import { byId, element, fill, post, setText } from "/dom.js";
import { age, hourAndMinute, money } from "/format.js";

const WHY = {
  join: "Somebody would like to join, and there is not enough upload.",
  leave: "Somebody who carried others has left, and there is not enough upload.",
};

const SENT = {
  accept: "Accepted. You pay only once the station grants it; if somebody was faster, nothing is spent.",
  decline: "Declined.",
  never: "Declined. You will not be asked again.",
};

let asked = null; // the ask on show
let answered = null; // the ask that was answered here
const buttons = ["prompt-accept", "prompt-decline", "prompt-never"].map(byId);

export function showPrompt(prompt, now) {
  byId("prompt").hidden = prompt === null;
  if (prompt === null) {
    asked = null;
    return;
  }
  if (asked !== prompt.ask) begin(prompt);
  const left = prompt.answer_by_ms - now;
  const late = left <= 0;
  for (const button of buttons) button.disabled = late || answered === prompt.ask;
  setText(byId("prompt-left"), late ? "Too late: the station asks others now." : `${age(left)} left to answer`);
}

function begin(prompt) {
  asked = prompt.ask;
  byId("prompt-name").checked = false;
  setText(byId("prompt-state"), "");
  setText(byId("prompt-why"), `${WHY[prompt.cause]} The station is ${prompt.deficit}.`);
  setText(byId("prompt-price"), money(prompt.price_minor, prompt.currency));
  const hours = prompt.hours === 1 ? "one hour" : `${prompt.hours} hours`;
  setText(byId("prompt-terms"), `for ${hours} of a relay, ${prompt.gigabytes} GB`);
  const facts = [
    ["At most", prompt.cap],
    ["Ends", `at ${hourAndMinute(prompt.ends_at_ms)}; never renewed by itself`],
    ["You get", prompt.gets],
    ["If it fails", prompt.on_failure],
    ["Asked now", prompt.step],
  ];
  const pairs = facts.map(([name, value]) => {
    const pair = element("div");
    pair.append(element("dt", {}, name), element("dd", {}, value));
    return pair;
  });
  fill(byId("prompt-facts"), pairs, JSON.stringify(facts));
}

async function reply(answer) {
  const ask = asked;
  if (ask === null || answered === ask) return;
  answered = ask;
  for (const button of buttons) button.disabled = true;
  const refusal = await post("/answer", { ask, answer, show_name: byId("prompt-name").checked });
  if (refusal !== null && answered === ask) answered = null;
  if (asked === ask) setText(byId("prompt-state"), refusal ?? SENT[answer]);
}

for (const [index, answer] of ["accept", "decline", "never"].entries()) {
  buttons[index].addEventListener("click", () => reply(answer));
}
