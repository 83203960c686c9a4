// The parked records: a list, the newest first, and the content of each when it is opened. The page only reads them.
import {place} from "./events.js";
import {explain, read} from "./service.js";
import {setText} from "./state.js";
import {translate} from "./texts.js";

const LIMIT = 100;
const MOST = 1000; // in one response of the API

const section = document.getElementById("parked-records");
const list = document.getElementById("dead-letters");
const note = document.getElementById("dead-letters-note");
const more = document.getElementById("dead-letters-more");
let counted = 0; // how many were parked when the list was read
let next = null; // the cursor after the last of the list

more.addEventListener("click", () => add().catch(reportError));

// Reads the list again, as long as it is, if the number of parked records has changed.
export async function updateParked(count) {
  if (count === counted) return;
  counted = count;
  try {
    const letters = await readAfter("", Math.min(MOST, Math.max(LIMIT, list.children.length)));
    const ids = new Set(letters.map(letter => String(letter.id)));
    for (const item of [...list.children]) if (!ids.has(item.dataset.id)) item.remove();
    letters.forEach((letter, at) => { // moved only if it must be: an item that is moved loses the focus
      const item = itemOf(letter);
      if (list.children[at] !== item) list.insertBefore(item, list.children[at]);
    });
    section.hidden = !letters.length;
  } catch (error) {
    counted = undefined; // with the next state the page reads the list again, also if no record is parked then
    section.hidden = false;
    setText(note, explain(error), false);
  }
}

async function add() {
  try {
    list.append(...(await readAfter(next, LIMIT)).map(itemOf));
  } catch (error) {
    setText(note, explain(error), false);
  }
}

async function readAfter(after, limit) {
  const answer = await read(`/dead-letters?limit=${limit}&after=${after}`);
  next = answer.next;
  more.hidden = next === null;
  setText(note, "");
  return answer.dead_letters;
}

export function openDeadLetter(id) {
  section.hidden = false;
  const item = document.getElementById(`dead-letter-${id}`) ?? newItem(id);
  if (!item.isConnected) list.append(item); // older than those of the list
  item.open = true;
  item.scrollIntoView({block: "nearest"});
  item.firstChild.focus();
}

function itemOf(letter) {
  const item = document.getElementById(`dead-letter-${letter.id}`) ?? newItem(letter.id);
  item.firstChild.textContent = `${place(letter)}: ${letter.reason}`;
  return item;
}

function newItem(id) {
  const item = Object.assign(document.createElement("details"), {id: `dead-letter-${id}`});
  item.dataset.id = id;
  item.append(
    Object.assign(document.createElement("summary"), {textContent: translate("dead_letter", {id})}),
    document.createElement("pre"),
  );
  item.addEventListener("toggle", () => { if (item.open) showContent(item).catch(reportError); });
  return item;
}

async function showContent(item) {
  const content = item.lastChild;
  try {
    content.textContent = JSON.stringify(await read(`/dead-letters/${item.dataset.id}`), null, 2);
  } catch (error) {
    content.textContent = explain(error);
  }
}
