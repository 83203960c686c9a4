// The page of Balances: how far the service has read, the events that arrive, and the balances, the last changed first.
import {showArrivals} from "./arrivals.js";
import {Chart} from "./chart.js";
import {EventFeed, showLink} from "./events.js";
import {List, Table, plain} from "./list.js";
import {formatMoney} from "./money.js";
import {openDeadLetter, updateParked} from "./parked.js";
import {pollEvents, pollList, pollState, setText} from "./state.js";
import {texts} from "./balances-texts.js";
import {addTexts, ago, fillTexts, locale, translate, word} from "./texts.js";

addTexts(texts);
fillTexts();

const balances = new List("/balances", answer => answer.balances.map(item));
const table = new Table(balances, {
  order: (one, other) => (one.changed < other.changed) - (one.changed > other.changed) || (one.id < other.id ? -1 : 1),
  cells: ({id, balance, changed}) => [
    [id], formatMoney(balance, locale), ago((Date.now() - Date.parse(changed)) / 1000),
  ],
  empty: "no_balances",
  nothingFound: "no_balance_found",
});

const feed = new EventFeed();
const [rate, lagChart] = ["rate", "lag"].map(id => new Chart(document.getElementById(id)));

function item({account_id: id, balance, updated_at: changed}) {
  return {id, balance, changed, version: changed, search: plain(id)};
}

function showFacts(facts) {
  const {mysql, kafka, consumer, lag, last_event_seconds: seconds, parked, announce_required: announce} = facts;
  const set = (id, ...text) => setText(document.getElementById(id), ...text);
  const number = value => value?.toLocaleString(locale) ?? translate("unknown");
  set("mysql", word(mysql), !["down", "read_only"].includes(mysql));
  set("kafka", word(kafka), kafka !== "down");
  set("consumer", word(consumer), ["consuming", "starting"].includes(consumer));
  lagChart.add(lag ?? undefined);
  set("event", typeof seconds === "number" ? ago(seconds) : translate("no_event"));
  set("parked", number(parked), !parked);
  if (parked !== undefined) updateParked(parked).catch(reportError);
  set("announcement", announce === undefined ? translate("unknown") : translate(announce ? "required" : "not_required"), !announce);
}

function showEvents() {
  rate.add(feed.rate);
  showArrivals(feed.events, openDeadLetter);
  showLink(document.getElementById("other"), feed.links.wallet);
}

function warning(facts) {
  if (facts.mysql === "down") return translate("mysql_down");
  if (facts.kafka === "down") return translate("kafka_down");
  if (facts.mysql === "read_only") return translate("mysql_read_only");
  if (facts.announce_required) return translate("announce_required");
  const reason = facts.failing ?? facts.problems?.[0];
  return reason ? translate("failing", {reason}) : "";
}

pollState(showFacts, warning);
pollList("balances", () => balances.readNext().then(() => table.show()), warning);
pollEvents(() => feed.readNext().then(showEvents), warning);
