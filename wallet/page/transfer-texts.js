// The names of accounts and the outcome of a transfer, as people read them. Pure functions.
import {formatMoney} from "./money.js";
import {locale, translate} from "./texts.js";

const SHORT_ID = 4;

export const collator = new Intl.Collator(locale);
export const byName = (one, other) => collator.compare(one.name, other.name) || (one.id < other.id ? -1 : 1);
export const shown = amount => formatMoney(amount, locale);

// {id: "Ana Souza …0001"}: as many of the last characters of the id as distinguish the accounts with this name.
export function distinctNames(accounts) {
  const names = new Map();
  for (const [name, ids] of Map.groupBy(accounts.map(({name, id}) => [name, id]), ([name]) => name)) {
    let length = SHORT_ID;
    while (new Set(ids.map(([, id]) => id.slice(-length))).size < ids.length) length++;
    for (const [, id] of ids) names.set(id, `${name} ${id.length > length ? "…" : ""}${id.slice(-length)}`);
  }
  return names;
}

// One sentence about the response to a transfer.
export function outcome(response, answer, transfer, names) {
  const name = id => names.get(id) ?? id;
  const values = {
    amount: shown(transfer.amount), from: name(transfer.account_id_from), to: name(transfer.account_id_to),
    status: response.status, reason: reason(answer.detail ?? "", name),
  };
  if (response.ok) return translate(response.headers.has("Idempotent-Replayed") ? "transferred_before" : "transferred", values);
  if (response.status === 409) return translate("in_progress");
  return translate(response.status < 500 ? "refused" : "failed_transfer", values);
}

// The usual refusals in the language of the page, with names in place of ids; all others in the words of the service.
function reason(detail, name) {
  const [, poor, balance, amount] = /^account (.*) holds ([\d.]+), less than ([\d.]+)$/.exec(detail) ?? [];
  if (poor) return translate("insufficient", {account: name(poor), balance: shown(Number(balance)), amount: shown(Number(amount))});
  const [, rich] = /^account (.*) would hold more than/.exec(detail) ?? [];
  return rich ? translate("limit", {account: name(rich)}) : `${detail.replace(/\.$/, "")}.`;
}
