// The records that this instance consumed, the newest first, with what became of each.
import {place} from "./events.js";
import {locale, translate} from "./texts.js";

const ROWS = 12;
const SHORT_ID = 8; // characters: two accounts fit in one line on a phone
const body = document.getElementById("arrivals");

const rows = new Map(); // by place and outcome
let complete = false; // once the first response is shown: its rows are not new

// Shows the events. `open(id)` shows the content of a dead letter.
export function showArrivals(events, open) {
  const shown = events.slice(0, ROWS), known = new Set();
  shown.forEach((event, at) => {
    const key = `${place(event)} ${event.outcome}`;
    known.add(key);
    if (!rows.has(key)) rows.set(key, newRow(event, open));
    const row = rows.get(key);
    if (body.rows[at] !== row) body.insertBefore(row, body.rows[at] ?? null);
  });
  for (const [key, row] of rows) if (!known.has(key)) { row.remove(); rows.delete(key); }
  body.parentElement.hidden = !events.length;
  document.getElementById("arrivals-note").textContent = events.length ? "" : translate("no_arrivals");
  complete = true;
}

function newRow(event, open) {
  const row = document.createElement("tr");
  const header = Object.assign(document.createElement("th"), {scope: "row", textContent: place(event)});
  header.append(small(event.name ?? ""), small((event.accounts ?? []).map(shortened).join(" ")));
  row.append(header);
  showOutcome(row.insertCell(), event, open);
  row.insertCell().textContent = event.applied_after_ms === null ? "–" : `${Math.round(event.applied_after_ms).toLocaleString(locale)} ms`;
  row.className = event.outcome;
  if (complete) {
    row.classList.add("marked");
    setTimeout(() => row.classList.remove("marked"), 1500);
  }
  return row;
}

function showOutcome(cell, {outcome, reason, dead_letter: path}, open) {
  const text = translate(`outcome_${outcome}`);
  const why = outcome === "stale" ? translate("stale_reason") : reason ?? "";
  if (!path) return cell.append(text, small(why));
  const id = path.split("/").pop();
  const link = Object.assign(document.createElement("a"), {href: `#dead-letter-${id}`, textContent: text});
  link.addEventListener("click", event => {
    event.preventDefault();
    open(id);
  });
  cell.append(link, small(why));
}

function shortened(id) {
  return id.length > SHORT_ID ? `…${id.slice(-SHORT_ID)}` : id;
}

function small(textContent) {
  return Object.assign(document.createElement("small"), {textContent});
}
