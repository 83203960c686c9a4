// A list of the API, copied page by page: each request reads the next page after a cursor, then the list starts again.
// Below a thousand items each request renews all of them. The page sorts and searches what it holds.
import {read} from "./service.js";
import {setText} from "./state.js";
import {locale, translate} from "./texts.js";

const LIMIT = 1000;
const MOST = 10_000; // a bound for the memory and the work of the browser
const ROWS = 50;
const MARK_MS = 1500;

// "João" is found by "joao".
export const plain = text => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

export class List {
  items = new Map(); // by id: {id, version, search, changedAt, ...}
  truncated = false;
  complete = false; // once the last response has been read
  #after = "";
  #seen = new Set();

  // `items(answer)` gives the items of a response: id, version (changes when the item changes), search (plain text).
  constructor(path, items) {
    Object.assign(this, {path, itemsOf: items});
  }

  async readNext() {
    const answer = await read(`${this.path}?limit=${LIMIT}&after=${encodeURIComponent(this.#after)}`);
    for (const item of this.itemsOf(answer)) {
      this.put(item);
      this.#seen.add(item.id);
    }
    this.#after = answer.next ?? "";
    this.truncated = answer.next !== null && this.#seen.size >= MOST;
    if (answer.next !== null && !this.truncated) return;
    for (const id of this.items.keys()) if (!this.#seen.has(id)) this.items.delete(id); // no longer in the API
    this.#seen.clear();
    this.#after = "";
    this.complete = true;
  }

  put(item) {
    const known = this.items.get(item.id);
    const changed = known ? known.version !== item.version : this.complete;
    this.items.set(item.id, {...item, changedAt: changed ? performance.now() : known?.changedAt ?? -Infinity});
  }
}

// Shows a list in the table of the page: searched, in order, its first rows, and more on request.
export class Table {
  #rows = new Map();
  #most = ROWS;

  // `cells(item)` gives the texts of a row: the lines of its header, then one text for each other cell. `empty` and
  // `nothingFound` name the sentences for an empty list and for a search without result. With `open(id)` the first line
  // of a header is a button.
  constructor(list, {order, cells, empty, nothingFound, open}) {
    Object.assign(this, {list, order, cells, empty, nothingFound, open});
    const [body, search, more] = ["rows", "search", "more"].map(id => document.getElementById(id));
    Object.assign(this, {body, search, more});
    search.addEventListener("input", () => { this.#most = ROWS; this.show(); });
    more.addEventListener("click", () => { this.#most += ROWS; this.show(); });
  }

  show() {
    const wanted = plain(this.search.value.trim());
    const found = [...this.list.items.values()].filter(item => item.search.includes(wanted)).sort(this.order);
    const shown = found.slice(0, this.#most);
    const ids = new Set(shown.map(item => item.id));
    for (const [id, row] of this.#rows) if (!ids.has(id)) { row.remove(); this.#rows.delete(id); }
    shown.forEach((item, place) => this.#showRow(item, place));
    this.more.hidden = found.length <= shown.length;
    this.#showNote(found.length, shown.length);
  }

  #showRow(item, place) {
    let row = this.#rows.get(item.id);
    const [lines, ...texts] = this.cells(item);
    if (!row) {
      row = document.createElement("tr");
      const header = Object.assign(document.createElement("th"), {scope: "row"});
      const element = (name, textContent) => Object.assign(document.createElement(name), {textContent});
      header.append(...lines.map((line, at) => element(at ? "small" : this.open ? "button" : "span", line)));
      if (this.open) Object.assign(header.firstChild, {type: "button", onclick: () => this.open(item.id)});
      row.append(header, ...texts.map(() => document.createElement("td")));
      this.#rows.set(item.id, row);
    }
    texts.forEach((text, at) => { row.cells[at + 1].textContent = text; });
    if (this.body.rows[place] !== row) this.body.insertBefore(row, this.body.rows[place] ?? null);
    const left = item.changedAt + MARK_MS - performance.now();
    if (left > 0 && !row.classList.contains("marked")) {
      row.classList.add("marked");
      setTimeout(() => row.classList.remove("marked"), left);
    }
  }

  #showNote(found, shown) {
    const all = this.list.items.size;
    let note = "";
    if (!all) note = this.list.complete ? translate(this.empty) : "";
    else if (!found) note = translate(this.nothingFound, {text: this.search.value.trim()});
    else if (all > shown) note = translate("count", {shown: shown.toLocaleString(locale), found: found.toLocaleString(locale)});
    if (this.list.truncated) note += ` ${translate("truncated", {most: MOST.toLocaleString(locale)})}`;
    setText(document.getElementById("note"), note);
    this.body.parentElement.hidden = !found;
  }
}
