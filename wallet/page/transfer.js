// The form of Wallet: who may send to whom, the amount, and the outcome of the transfer.
import {follow} from "./journey.js";
import {parseMoney} from "./money.js";
import {Problem, Unreachable, ask, body, read} from "./service.js";
import {setText} from "./state.js";
import {translate} from "./texts.js";
import {byName, distinctNames, outcome, shown} from "./transfer-texts.js";

const TRANSFER_MS = 60_000; // a transfer may wait for locks
const $ = id => document.getElementById(id);
export const newKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), part => part.toString(36)).join("-");

export class TransferForm {
  #accounts;
  #changed;
  #names = new Map();
  #key = newKey(); // kept while the outcome is unknown: the same transfer, sent again, is done only once

  // `accounts` are the items of the list; `changed(account)` gets each account that a transfer has changed, as the API gives it.
  constructor(accounts, changed) {
    this.#accounts = accounts;
    this.#changed = changed;
    $("amount").value = shown(10);
    $("transfer").addEventListener("input", () => {
      this.#key = newKey();
      this.#showAmount();
    });
    $("from").addEventListener("input", () => this.offer());
    $("to").addEventListener("input", () => this.offer());
    $("transfer").addEventListener("submit", event => {
      event.preventDefault();
      this.#submit().catch(reportError);
    });
    this.#showAmount();
  }

  // Offers the accounts with money as senders, and all others as receivers. A choice stays until its account is no longer in the list.
  offer() {
    const all = [...this.#accounts.values()].sort(byName);
    this.#names = distinctNames(all);
    const sender = this.#choose("from", all.filter(account => account.balance > 0 || account.id === $("from").value));
    const others = all.filter(account => account !== sender);
    this.#choose("to", others, others.find(account => account.client !== sender?.client));
    $("send").disabled = !sender || !others.length;
  }

  name(id) {
    return this.#names.get(id) ?? id;
  }

  #choose(side, offered, preferred = offered[0]) {
    const list = $(side), chosen = offered.find(account => account.id === list.value) ?? preferred ?? offered[0];
    const options = offered.map(account => [account.id, this.#names.get(account.id)]);
    const text = JSON.stringify(options);
    if (list.offered !== text) { // an open list closes when its options change: change them only if they differ
      list.offered = text;
      list.replaceChildren(...options.map(([id, name]) => new Option(name, id)));
    }
    if (chosen) list.value = chosen.id;
    setText($(`${side}-balance`), chosen ? translate("holds", {amount: shown(chosen.balance)}) : translate("none_offered"));
    return chosen;
  }

  // The button shows how the amount is understood before it is sent. A problem is shown once the person sends it.
  #showAmount() {
    const {cents} = parseMoney($("amount").value);
    $("send").textContent = cents ? translate("transfer_amount", {amount: shown(cents / 100)}) : translate("transfer");
    if (cents) this.#showAmountProblem("");
  }

  #showAmountProblem(problem) {
    const text = $("amount").value.trim();
    const values = {text, thousands: text.replace(/[.,]/, ""), decimals: text.slice(0, -1)}; // 1,500: 1500 or 1,50
    setText($("amount-problem"), problem && translate(`amount_${problem}`, values), false);
    $("amount").setAttribute("aria-invalid", Boolean(problem));
  }

  async #submit() {
    const {cents, problem} = parseMoney($("amount").value);
    this.#showAmountProblem(problem ?? "");
    if (problem) return $("amount").focus();
    if ($("send").disabled) return; // Enter in a field sends the form too
    const transfer = {account_id_from: $("from").value, account_id_to: $("to").value, amount: cents / 100};
    $("send").disabled = true;
    try {
      await this.#send(transfer);
    } finally {
      $("send").disabled = false;
    }
  }

  async #send(transfer) {
    $("steps").hidden = true;
    try {
      const response = await ask("/transactions", {
        method: "POST", body: JSON.stringify(transfer), headers: {"Idempotency-Key": this.#key}, timeout: TRANSFER_MS,
      });
      const answer = await body(response);
      if (response.status < 500 && response.status !== 409) this.#key = newKey();
      setText($("outcome"), outcome(response, answer, transfer, this.#names), response.ok);
      this.#showResponse(response, answer);
      if (!response.ok) return;
      const sequence = response.headers.get("Sequence");
      if (sequence) follow(sequence, response.afterMs).catch(reportError);
      for (const id of [transfer.account_id_from, transfer.account_id_to])
        this.#changed(await read(`/accounts/${encodeURIComponent(id)}`));
    } catch (error) {
      if (error instanceof Unreachable) setText($("outcome"), translate("no_response"), false);
      else if (error instanceof Problem) setText($("outcome"), error.message, false);
      else throw error;
    }
  }

  #showResponse({status, statusText, headers}, answer) {
    const sequence = headers.get("Sequence");
    $("response").hidden = false;
    $("response").querySelector("pre").textContent =
      `${status} ${statusText}\n${sequence ? `Sequence: ${sequence}\n` : ""}\n${JSON.stringify(answer, null, 2)}`;
  }
}
