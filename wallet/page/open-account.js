// The form that opens an account, for a new client or for one that has an account.
import {Problem, Unreachable, ask, body, explain, read} from "./service.js";
import {setText} from "./state.js";
import {translate} from "./texts.js";
import {collator} from "./transfer-texts.js";
import {newKey} from "./transfer.js";

const $ = id => document.getElementById(id);

export class OpenAccountForm {
  #accounts;
  #opened;
  #key = newKey(); // kept while the outcome is unknown: the same form, sent again, opens only one account
  #offered = "";

  // `accounts` are the items of the list; `opened(account)` gets the new account as the API gives it.
  constructor(accounts, opened) {
    this.#accounts = accounts;
    this.#opened = opened;
    $("account").addEventListener("input", () => {
      this.#key = newKey();
      this.#showFields();
    });
    $("account").addEventListener("submit", event => {
      event.preventDefault();
      this.#submit().catch(reportError);
    });
    this.offer();
  }

  // Offers a new client, and each client of the list.
  offer() {
    const clients = new Map([...this.#accounts.values()].map(({client, name}) => [client, name]));
    const options = [...clients].sort(([, one], [, other]) => collator.compare(one, other));
    const text = JSON.stringify(options), chosen = $("client").value;
    if (this.#offered === text) return;
    this.#offered = text;
    $("client").replaceChildren(new Option(translate("new_client"), ""), ...options.map(([id, name]) => new Option(name, id)));
    $("client").value = clients.has(chosen) ? chosen : "";
    this.#showFields();
  }

  #showFields() {
    for (const field of document.querySelectorAll("#account .new")) field.hidden = $("client").value !== "";
  }

  async #submit() {
    const button = $("account").querySelector("button");
    if (button.disabled) return; // Enter in a field sends the form too
    button.disabled = true;
    try {
      const account = await this.#open();
      this.#key = newKey();
      for (const field of ["name", "email"]) $(field).value = "";
      setText($("account-outcome"), translate("account_opened", {name: account.client_name, id: account.id}));
      this.#opened(account);
    } catch (error) {
      const unknown = error instanceof Unreachable;
      setText($("account-outcome"), unknown ? translate("account_unknown") : explain(error), false);
    } finally {
      button.disabled = false;
    }
  }

  async #open() {
    const client = $("client").value || (await this.#post("/clients", {name: $("name").value.trim(), email: $("email").value.trim()})).ID;
    const {ID: id} = await this.#post("/accounts", {client_id: client});
    return read(`/accounts/${encodeURIComponent(id)}`);
  }

  async #post(path, fields) {
    const response = await ask(path, {method: "POST", body: JSON.stringify(fields), headers: {"Idempotency-Key": this.#key}});
    const answer = await body(response);
    if (response.ok) return answer;
    throw new Problem(translate("refused", {reason: this.#reason(answer.detail ?? String(response.status))}));
  }

  // The usual refusals in the language of the page; all others in the words of the service.
  #reason(detail) {
    const [, field] = /^(name|email) must have 1 to/.exec(detail) ?? [];
    return field ? translate(`${field}_required`) : `${detail.replace(/\.$/, "")}.`;
  }
}
