// Amounts as people write them: "1,50" and "1.50" are one and a half, "1.000,00" and "1,000.00" are a thousand.
// Pure functions. An amount is a number of cents: cents are integers, so nothing is ever rounded.

const MOST_CENTS = 999_999_999_999_999; // DECIMAL(15,2), and below the largest integer that JavaScript keeps exact
const DIGITS = /^\d+$/;
const GROUPS = /^[1-9]\d{0,2}([.,\u0020\u00a0\u202f])\d{3}(\1\d{3})*$/; // 1.000 or 1,000,000 or 1 000: one separator
const AMBIGUOUS = /^[1-9]\d{0,2}[.,]\d{3}$/; // 1,500: fifteen hundred to one reader, one and a half to another

// Gives {cents}, or {problem}: empty, not_a_number, ambiguous, decimals, zero, too_large.
export function parseMoney(text) {
  const written = text.trim();
  if (written === "") return {problem: "empty"};
  if (AMBIGUOUS.test(written)) return {problem: "ambiguous"};
  const integer = integerPart(written);
  if (integer !== undefined) return checked(integer, "");
  const [, before, decimals] = /^(.*)[.,](\d+)$/.exec(written) ?? [];
  const separator = written[before?.length];
  const units = before === "" ? "0" : integerPart(before ?? "");
  // The separator of the decimals cannot separate groups as well: 1.000.50 is neither.
  if (units === undefined || (before.includes(separator))) return {problem: "not_a_number"};
  if (decimals.length > 2) return {problem: "decimals"};
  return checked(units, decimals);
}

// "1.000,00" or "1,000.00", as the language writes it.
export function formatMoney(amount, locale) {
  return amount.toLocaleString(locale, {minimumFractionDigits: 2, maximumFractionDigits: 2, useGrouping: "always"});
}

function integerPart(text) {
  if (DIGITS.test(text)) return text;
  return GROUPS.test(text) ? text.replace(/\D/g, "") : undefined;
}

function checked(units, decimals) {
  const digits = (units + decimals.padEnd(2, "0")).replace(/^0+/, "");
  if (digits === "") return {problem: "zero"};
  return digits.length > 15 || Number(digits) > MOST_CENTS ? {problem: "too_large"} : {cents: Number(digits)};
}
