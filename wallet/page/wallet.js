// The page of Wallet: the state of the service, its accounts, and the parts that change or show one of them.
import {Chart} from "./chart.js";
import {EventFeed, showLink} from "./events.js";
import {History} from "./history.js";
import {List, Table, plain} from "./list.js";
import {OpenAccountForm} from "./open-account.js";
import {pollEvents, pollList, pollState, setText} from "./state.js";
import {addTexts, fillTexts, translate, word} from "./texts.js";
import {byName, shown} from "./transfer-texts.js";
import {TransferForm} from "./transfer.js";
import {texts} from "./wallet-texts.js";

addTexts(texts);
fillTexts();

const accounts = new List("/accounts", answer => answer.accounts.map(item));
const table = new Table(accounts, {
  order: (one, other) => (other.balance > 0) - (one.balance > 0) || byName(one, other), // those with money come first
  cells: account => [[account.name, account.id], shown(account.balance)],
  empty: "no_accounts",
  nothingFound: "no_account_found",
  open: id => history.open(id),
});
const form = new TransferForm(accounts.items, put);
const history = new History(accounts.items, id => form.name(id));
const opening = new OpenAccountForm(accounts.items, put);
const feed = new EventFeed();
const [rate, outbox] = ["rate", "outbox"].map(id => new Chart(document.getElementById(id)));

function put(account) {
  accounts.put(item(account));
  show();
}

function item({id, client_name: name, client_id: client, balance}) {
  return {id, name, client, balance, version: balance, search: plain(`${name}\n${id}`)};
}

function show() {
  table.show();
  form.offer();
  opening.offer();
  history.update();
}

function showEvents() {
  rate.add(feed.rate);
  showLink(document.getElementById("other"), feed.links.balances);
}

function showFacts({mysql, kafka, relay, outbox_rows: rows, announce_required: announce}) {
  const set = (id, ...text) => setText(document.getElementById(id), ...text);
  set("mysql", word(mysql), mysql !== "down");
  set("kafka", word(kafka), kafka !== "down");
  set("relay", word(relay), ["leader", "standby", "starting"].includes(relay));
  outbox.add(rows);
  set("announcement", announce === undefined ? translate("unknown") : translate(announce ? "required" : "not_required"), !announce);
}

function warning(facts) {
  if (facts.mysql === "down") return translate("mysql_down");
  if (facts.kafka === "down") return translate("kafka_down");
  if (facts.announce_required) return translate("announce_required");
  return facts.failing ? translate("failing", {reason: facts.failing}) : "";
}

pollState(showFacts, warning);
pollList("accounts", () => accounts.readNext().then(show), warning);
pollEvents(() => feed.readNext().then(showEvents), warning);
