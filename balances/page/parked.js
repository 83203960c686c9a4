// The parked records: a list, and the content of each when it is opened. The API of the page only reads them.
import {place} from "./events.js";
import {explain, read} from "./service.js";
import {setText} from "./state.js";
import {translate} from "./texts.js";

const LIMIT = 100;

const section = document.getElementById("parked-records");
const list = document.getElementById("dead-letters");
const note = document.getElementById("dead-letters-note");
let counted = 0; // how many were parked when the list was read

// Reads the list again if the number of parked records has changed.
export async function updateParked(count) {
  if (count === counted) return;
  counted = count;
  try {
    const {dead_letters: letters} = await read(`/dead-letters?limit=${LIMIT}`);
    const ids = new Set(letters.map(letter => String(letter.id)));
    for (const item of [...list.children]) if (!ids.has(item.dataset.id)) item.remove();
    for (const letter of letters) itemOf(letter.id).firstChild.textContent = `${place(letter)}: ${letter.reason}`;
    section.hidden = !letters.length;
    setText(note, "");
  } catch (error) {
    counted = 0; // with the next state the page reads the list again
    section.hidden = false;
    setText(note, explain(error), false);
  }
}

export function openDeadLetter(id) {
  section.hidden = false;
  const item = itemOf(id);
  item.open = true;
  item.scrollIntoView({block: "nearest"});
  item.firstChild.focus();
}

function itemOf(id) {
  const known = document.getElementById(`dead-letter-${id}`);
  if (known) return known;
  const item = Object.assign(document.createElement("details"), {id: `dead-letter-${id}`});
  item.dataset.id = id;
  item.append(
    Object.assign(document.createElement("summary"), {textContent: translate("dead_letter", {id})}),
    document.createElement("pre"),
  );
  item.addEventListener("toggle", () => { if (item.open) showContent(item).catch(reportError); });
  list.append(item);
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
