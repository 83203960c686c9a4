// The state of the service, as /ready gives it, and the one sentence above the page about what is wrong.
import {Problem, Unreachable, ask, body} from "./service.js";
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

// A step of poll() that reads a list.
export function listStep(readList, warning) {
  return () => attempt("list", warning, readList);
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
    if (error instanceof Unreachable) problems[step] = translate("unreachable");
    else if (error instanceof Problem) problems[step] = error.message;
    else throw error;
  }
  // What the service reports of itself explains a list that failed: MySQL is down, for one.
  const explained = facts.mysql === "down" && warning(facts);
  const problem = problems.ready || explained || problems.list || warning(facts);
  setText(line, problem || translate(facts.status === "ready" ? "ready" : "not_ready"), !problem && facts.status === "ready");
}
