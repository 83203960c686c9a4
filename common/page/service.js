// Requests to the service of the page: at most two a second, with the token where one is required.
import {translate} from "./texts.js";

const SPACING_MS = 500;
const RESPONSE_MS = 4000; // the page shows within 5 s that a service does not answer
const POLL_MS = 700;
const TOKEN = /^[\x21-\x7e]+$/; // a header cannot carry anything else: the browser would fail as if the service did not answer

const login = document.getElementById("login");
const field = document.getElementById("token");
let earliest = 0; // when the next request may start

export const sleep = ms => new Promise(done => setTimeout(done, ms));

// A response that is no success; its message is a sentence for the page.
export class Problem extends Error {}

// No response, or not in time, or not from the service: a proxy, for one, answers in HTML.
export class Unreachable extends Error {}

export async function ask(path, {headers = {}, ...options} = {}) {
  const token = sessionStorage.getItem("token");
  if (token) headers = {...headers, Authorization: `Bearer ${token}`};
  const response = await send(path, {...options, headers});
  if (path !== "/ready") { // /ready is public and ignores the token
    const refused = response.status === 401;
    login.hidden = !refused;
    if (refused) throw new Problem(tokenProblem(impossible() ? "token_characters" : token ? "token_refused" : "token_required"));
  }
  return response;
}

// The response, with `afterMs`: how long it took, without the pause before the request.
async function send(url, {timeout = RESPONSE_MS, ...options} = {}) {
  const now = performance.now(), start = Math.max(now, earliest);
  earliest = start + SPACING_MS;
  if (start > now) await sleep(start - now);
  const sentAt = performance.now();
  const request = fetch(url, {cache: "no-store", signal: AbortSignal.timeout(timeout), ...options});
  const response = await request.catch(cause => { throw new Unreachable(url, {cause}); });
  return Object.assign(response, {afterMs: performance.now() - sentAt});
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
  if (error instanceof Unreachable) return translate("unreachable");
  if (error instanceof Problem) return error.message;
  throw error;
}

export function body(response) {
  return response.json().catch(cause => { throw new Unreachable(response.url, {cause}); });
}

// Takes the steps in turn for as long as the page is open, with a pause after each: a step sends one request. A hidden page sends none.
export async function poll(...steps) {
  for (;;) for (const step of steps) {
    await visible();
    await step().catch(reportError); // an error of the page itself: the console shows it, and the page continues
    await sleep(POLL_MS);
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
