// Requests to the service of the page: at most two a second, with the token where one is required.
import {translate} from "./texts.js";

export const STATE = "/ready";
const SPACING_MS = 500;
const RESPONSE_MS = 4000; // longer than a service takes to notice that MySQL hangs
const TOKEN = /^[\x21-\x7e]+$/; // a header cannot carry anything else: the browser would fail as if the service did not answer

const login = document.getElementById("login");
const field = document.getElementById("token");
const waiting = []; // the requests that wait for their turn: each a function that starts one
let earliest = 0; // when the next one may start

export const sleep = ms => new Promise(done => setTimeout(done, ms));

// A response that is no success; its message is a sentence for the page.
export class Problem extends Error {}

// No response, or not in time, or not from the service: a proxy, for one, answers in HTML.
export class Unreachable extends Error {}

// No response in time. Only that to /ready shows that the service does not answer: a list may wait for MySQL.
class Late extends Unreachable {}

export async function ask(path, {headers = {}, ...options} = {}) {
  const token = sessionStorage.getItem("token");
  if (token) headers = {...headers, Authorization: `Bearer ${token}`};
  const response = await send(path, {...options, headers});
  if (path !== STATE) { // /ready is public and ignores the token
    const refused = response.status === 401;
    login.hidden = !refused;
    if (refused) throw new Problem(tokenProblem(impossible() ? "token_characters" : token ? "token_refused" : "token_required"));
  }
  return response;
}

// The response, with `afterMs`: how long it took, without the pause before the request.
async function send(url, {timeout = RESPONSE_MS, ...options} = {}) {
  const entered = options.method !== undefined, first = entered || url === STATE; // entered: by a person
  await turn(first);
  while (!entered && document.hidden) { // since the request began to wait
    await visible();
    await turn(first);
  }
  const sentAt = performance.now();
  const request = fetch(url, {cache: "no-store", signal: AbortSignal.timeout(timeout), ...options});
  const response = await request.catch(cause => { throw noResponse(url, cause); });
  return Object.assign(response, {afterMs: performance.now() - sentAt});
}

// Waits until a request may start. The state of the service, and what a person enters, come first.
function turn(first) {
  return new Promise(start => {
    if (first) waiting.unshift(start);
    else waiting.push(start);
    if (waiting.length === 1) startWaiting();
  });
}

async function startWaiting() {
  while (waiting.length) {
    const pause = earliest - performance.now();
    if (pause > 0) await sleep(pause);
    earliest = performance.now() + SPACING_MS;
    waiting.shift()();
  }
}

function noResponse(url, cause) {
  const path = new URL(url, location).pathname;
  return cause.name === "TimeoutError" && path !== STATE ? new Late(path, {cause}) : new Unreachable(url, {cause});
}

export async function read(path) {
  return success(await ask(path), path.split("?")[0]);
}

// Reads from the other service, which allows this page to. The page does not know its token, so none is sent.
export async function readOther(url) {
  const response = await send(url);
  if (response.status === 401) throw new Problem(translate("other_token", {url}));
  return success(response, url);
}

function success(response, name) {
  if (!response.ok) throw new Problem(translate("failed", {path: name, status: response.status}));
  return body(response);
}

// The sentence about a request that failed. An error of the page itself is thrown again.
export function explain(error) {
  if (error instanceof Late) return translate("late", {path: error.message, seconds: RESPONSE_MS / 1000});
  if (error instanceof Unreachable) return translate("unreachable");
  if (error instanceof Problem) return error.message;
  throw error;
}

export function body(response) {
  return response.json().catch(cause => { throw noResponse(response.url, cause); });
}

// Repeats a step, which sends one request, for as long as the page is open. Each step is polled on its own: a request
// that waits for MySQL delays no other. A hidden page sends none.
export async function poll(step, pauseMs) {
  for (;;) {
    await visible();
    await step().catch(reportError); // an error of the page itself: the console shows it, and the page continues
    await sleep(pauseMs);
  }
}

// Waits until the page is no longer hidden.
export function visible() {
  if (!document.hidden) return undefined;
  return new Promise(done => document.addEventListener("visibilitychange", done, {once: true})).then(visible);
}

// Whether the field holds what can be no token.
function impossible() {
  const entered = field.value.trim();
  return entered !== "" && !TOKEN.test(entered);
}

function tokenProblem(name) {
  return document.getElementById("token-problem").textContent = translate(name);
}

login.addEventListener("submit", event => {
  event.preventDefault();
  if (impossible()) return void tokenProblem("token_characters");
  sessionStorage.setItem("token", field.value.trim());
  document.getElementById("token-problem").textContent = "";
});
