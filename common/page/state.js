// The state of the service, as /ready gives it, and the one sentence above the page about what is wrong.
import {STATE, ask, body, explain, poll} from "./service.js";
import {translate} from "./texts.js";

const STATE_PAUSE_MS = 1000; // with the limit of a request for /ready: an outage of MySQL or Kafka is shown within 5 s
const OTHER_PAUSE_MS = 2000; // of each other step: with two of them the page sends two requests in a second

const line = document.getElementById("state");
const problems = {}; // by step: the sentence about its last request, "" after a success
let facts = {};

// Polls /ready, and gives the facts to `show`. `warning(facts)` is a sentence, or "" while all is well.
export function pollState(show, warning) {
  poll(() => attempt("ready", warning, async () => {
    facts = await body(await ask(STATE));
    show(facts);
  }), STATE_PAUSE_MS);
}

// Polls a list. While MySQL is down no request is sent: it would occupy a thread of the service until MySQL answers.
export function pollList(name, request, warning) {
  poll(() => attempt(name, warning, async () => { if (facts.mysql !== "down") await request(); }), OTHER_PAUSE_MS);
}

// Polls what the service holds in memory: the recent events.
export function pollEvents(request, warning) {
  poll(() => attempt("events", warning, request), OTHER_PAUSE_MS);
}

export function setText(element, text, fine = true) {
  if (element.textContent !== String(text)) element.textContent = text; // a screen reader repeats what is written again
  element.classList.toggle("bad", !fine);
}

async function attempt(step, warning, request) {
  try {
    await request();
    problems[step] = "";
  } catch (error) {
    problems[step] = explain(error);
  }
  // What the service reports of itself explains a request that failed: MySQL is down, for one.
  const explained = facts.mysql === "down" && warning(facts);
  const {ready, ...others} = problems;
  const problem = ready || explained || Object.values(others).find(Boolean) || warning(facts);
  setText(line, problem || translate(facts.status === "ready" ? "ready" : "not_ready"), !problem && facts.status === "ready");
}
