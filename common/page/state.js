// The state of the service, as /ready gives it, and the one sentence above the page about what is wrong.
import {ask, body, explain} from "./service.js";
import {translate} from "./texts.js";

const line = document.getElementById("state");
const problems = {}; // by step: the sentence about its last request, "" after a success
let facts = {};

// A step of poll(): reads /ready, and gives the facts to `show`. `warning(facts)` is a sentence, or "" while all is well.
export function stateStep(show, warning) {
  return () => attempt("ready", warning, async () => {
    facts = await body(await ask("/ready"));
    show(facts);
  });
}

// A step of poll() that reads something else: a list, or the recent events.
export function readStep(name, request, warning) {
  return () => attempt(name, warning, request);
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
