// The page of Wallet: the state of the service, its accounts, and the form of transfer.js.
import {List, Table, plain} from "./list.js";
import {poll} from "./service.js";
import {listStep, setText, stateStep} from "./state.js";
import {addTexts, fillTexts, locale, translate, word} from "./texts.js";
import {byName, shown} from "./transfer-texts.js";
import {TransferForm} from "./transfer.js";
import {texts} from "./wallet-texts.js";

addTexts(texts);
fillTexts();

const accounts = new List("/accounts", page => page.accounts.map(item));
const table = new Table(accounts, {
  order: (one, other) => (other.balance > 0) - (one.balance > 0) || byName(one, other), // those with money come first
  cells: account => [[account.name, account.id], shown(account.balance)],
  empty: "no_accounts",
  nothingFound: "no_account_found",
});
const form = new TransferForm(accounts.items, account => { accounts.put(item(account)); show(); });

function item({id, client_name: name, client_id: client, balance}) {
  return {id, name, client, balance, version: balance, search: plain(`${name}\n${id}`)};
}

function show() {
  table.show();
  form.offer();
}

function showFacts({mysql, kafka, relay, outbox_rows: rows, announce_required: announce}) {
  const set = (id, ...text) => setText(document.getElementById(id), ...text);
  set("mysql", word(mysql), mysql !== "down");
  set("kafka", word(kafka), kafka !== "down");
  set("relay", word(relay), ["leader", "standby", "starting"].includes(relay));
  set("outbox", rows?.toLocaleString(locale) ?? translate("unknown"));
  set("announcement", announce === undefined ? translate("unknown") : translate(announce ? "required" : "not_required"), !announce);
}

function warning(facts) {
  if (facts.mysql === "down") return translate("mysql_down");
  if (facts.kafka === "down") return translate("kafka_down");
  if (facts.announce_required) return translate("announce_required");
  return facts.failing ? translate("failing", {reason: facts.failing}) : "";
}

poll(stateStep(showFacts, warning), listStep(() => accounts.readNext().then(show), warning));
