// The page of Balances: how far the service has read, and the balances, the last that changed first.
import {List, Table, plain} from "./list.js";
import {formatMoney} from "./money.js";
import {poll} from "./service.js";
import {listStep, setText, stateStep} from "./state.js";
import {texts} from "./balances-texts.js";
import {addTexts, ago, fillTexts, locale, say, word} from "./texts.js";

addTexts(texts);
fillTexts();

const balances = new List("/balances", page => page.balances.map(item));
const table = new Table(balances, {
  order: (one, other) => (one.changed < other.changed) - (one.changed > other.changed) || (one.id < other.id ? -1 : 1),
  cells: ({id, balance, changed}) => [
    [id], formatMoney(balance, locale), ago((Date.now() - Date.parse(changed)) / 1000),
  ],
  empty: "no_balances",
  nothingFound: "no_balance_found",
});

function item({account_id: id, balance, updated_at: changed}) {
  return {id, balance, changed, version: changed, search: plain(id)};
}

const announceRequired = facts => facts.announce_required ?? facts.announce_needed;

function showFacts(facts) {
  const {mysql, kafka, consumer, lag, last_event_seconds: seconds, parked} = facts, announce = announceRequired(facts);
  const set = (id, ...text) => setText(document.getElementById(id), ...text);
  const number = value => value?.toLocaleString(locale) ?? say("unknown");
  set("mysql", word(mysql), mysql !== "down");
  set("kafka", word(kafka), kafka !== "down");
  set("consumer", word(consumer), ["consuming", "follows", "starting"].includes(consumer));
  set("lag", number(lag));
  set("event", typeof seconds === "number" ? ago(seconds) : say("no_event"));
  set("parked", number(parked), !parked);
  set("announcement", announce === undefined ? say("unknown") : say(announce ? "yes" : "no"), !announce);
}

function warning(facts) {
  if (facts.mysql === "down") return say("mysql_down");
  if (facts.kafka === "down") return say("kafka_down");
  if (announceRequired(facts)) return say("announce_required");
  return facts.failing ? say("failing", {reason: facts.failing}) : "";
}

poll(stateStep(showFacts, warning), listStep(() => balances.readNext().then(() => table.show()), warning));
