// The transfers of one account, the newest first, in a part of the page that a click on the account opens.
import {explain, read} from "./service.js";
import {setText} from "./state.js";
import {locale, translate} from "./texts.js";
import {shown} from "./transfer-texts.js";

const LIMIT = 10;

const $ = id => document.getElementById(id);
const date = new Intl.DateTimeFormat(locale, {dateStyle: "medium", timeStyle: "medium"});

export class History {
  #accounts;
  #name;
  #id; // of the account that is shown
  #version; // of the account when its transfers were read
  #next = null; // the cursor of the next response

  // `accounts` are the items of the list; `name(id)` is how the page shows an account.
  constructor(accounts, name) {
    this.#accounts = accounts;
    this.#name = name;
    $("history-close").addEventListener("click", () => this.#close());
    $("history-more").addEventListener("click", () => this.#read(this.#next).catch(reportError));
  }

  open(id) {
    this.#id = id;
    $("history").hidden = false;
    $("history-title").textContent = translate("transfers_of", {account: this.#name(id)});
    $("history-rows").replaceChildren();
    $("history-title").focus(); // the part is below the list: this scrolls there
    this.#refresh();
  }

  // Reads the transfers again if the account has changed. Closes if the account is no longer in the list.
  update() {
    if (this.#id === undefined) return;
    if (!this.#accounts.has(this.#id)) this.#close();
    else if (this.#accounts.get(this.#id).version !== this.#version) this.#refresh();
  }

  #close() {
    this.#id = undefined;
    $("history").hidden = true;
  }

  #refresh() {
    this.#version = this.#accounts.get(this.#id)?.version;
    this.#read("").catch(reportError);
  }

  async #read(after) {
    const id = this.#id;
    try {
      const path = `/accounts/${encodeURIComponent(id)}/transactions?limit=${LIMIT}&after=${encodeURIComponent(after)}`;
      const {transactions, next} = await read(path);
      if (id !== this.#id) return; // another account was opened meanwhile
      const rows = transactions.map(each => this.#row(each));
      if (after) $("history-rows").append(...rows);
      else $("history-rows").replaceChildren(...rows);
      this.#next = next;
      $("history-more").hidden = next === null;
      setText($("history-note"), $("history-rows").rows.length ? "" : translate("no_transfers"));
    } catch (error) {
      setText($("history-note"), explain(error), false);
    }
  }

  #row({account_id_from: from, account_id_to: to, amount, created_at: at}) {
    const row = document.createElement("tr"), header = document.createElement("th"), time = document.createElement("small");
    const sent = from === this.#id;
    header.scope = "row";
    header.textContent = translate(sent ? "sent_to" : "received_from", {account: this.#name(sent ? to : from)});
    time.textContent = date.format(new Date(at));
    header.append(time);
    row.append(header);
    row.insertCell().textContent = `${sent ? "−" : "+"}${shown(amount)}`;
    return row;
  }
}
