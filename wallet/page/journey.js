// The steps of a transfer: committed in MySQL, published to Kafka, applied by Balances.
import {place} from "./events.js";
import {Problem, explain, read, readOther, sleep, visible} from "./service.js";
import {setText} from "./state.js";
import {locale, translate} from "./texts.js";

const PAUSE_MS = 1000;
const FOLLOW_MS = 60_000;
const NAME = "BalanceUpdated"; // the event of a transfer that Balances consumes

const list = document.getElementById("steps");
let current = 0; // only the last transfer is followed

// Shows the steps of the transfer with that sequence as they happen. `responseMs`: how long the response took.
export async function follow(sequence, responseMs) {
  const number = ++current, end = performance.now() + FOLLOW_MS;
  const transfer = {sequence, sent: undefined, applied: undefined, problem: ""};
  list.hidden = false;
  show(0, translate("step_committed", {ms: milliseconds(responseMs)}));
  show(1, translate("step_sending"), "waiting");
  show(2, translate("step_applying"), "waiting");
  while (!transfer.applied && number === current && performance.now() < end) {
    await visible();
    await check(transfer, () => { if (number === current) showTransfer(transfer); });
    if (!transfer.applied) await sleep(PAUSE_MS);
  }
  if (number !== current || transfer.applied) return;
  if (!transfer.sent) show(1, translate("step_sending_unknown"), "waiting");
  show(2, transfer.problem || translate("step_applying_unknown"), "waiting");
}

// `changed()` is called after each of the two answers: the first is shown, though Balances may not answer.
async function check(transfer, changed) {
  const isThis = ({sequence, name}) => String(sequence) === transfer.sequence && name === NAME;
  try {
    const {events, links} = await read("/events");
    transfer.sent ??= events.find(isThis);
    transfer.balances = links?.balances;
    transfer.problem = links?.balances ? "" : translate("step_balances_unknown");
  } catch (error) {
    transfer.problem = explain(error);
  }
  changed();
  if (!transfer.balances) return;
  try {
    const consumed = (await readOther(new URL("/events", transfer.balances).href)).events.filter(isThis);
    // Of several records of one event one is applied, and the others are stale.
    transfer.applied = consumed.find(({outcome}) => outcome === "applied") ?? consumed[0];
  } catch (error) {
    const sentence = explain(error);
    transfer.problem = error instanceof Problem ? sentence : translate("step_balances_down");
  }
  changed();
}

function showTransfer({sent, applied, problem}) {
  const known = sent ?? applied; // a relay in another process published it: its place is known from Balances
  if (sent) show(1, translate("step_sent", {place: place(sent), ms: milliseconds(sent.acknowledged_after_ms)}));
  else if (known) show(1, translate("step_sent_elsewhere", {place: place(known)}));
  if (!applied) return show(2, problem || translate("step_applying"), "waiting");
  const {outcome, reason, applied_after_ms: after} = applied;
  const values = {reason, ms: after === null ? translate("unknown") : milliseconds(after)};
  // The relay reads an acknowledgement after those before it: Balances may have applied the event meanwhile.
  const early = outcome === "applied" && after !== null && after < sent?.acknowledged_after_ms;
  show(2, translate(early ? "step_applied_early" : `step_${outcome}`, values), outcome === "applied" ? "" : "marked");
}

function show(at, text, state = "") {
  setText(list.children[at], text);
  list.children[at].className = state;
}

function milliseconds(value) {
  return `${value.toLocaleString(locale, {maximumFractionDigits: value < 10 ? 1 : 0})} ms`;
}
