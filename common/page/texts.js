// The sentences of a page, in the language of the browser: Portuguese if it is preferred to English, else English.
// This file has those that all pages share. A page adds its own with addTexts().

export const texts = {
  en: {
    ready: "Ready",
    not_ready: "Not ready",
    unreachable: "The service does not answer. The page shows its last answer.",
    late: "{path} has not answered within {seconds} s.",
    failed: "{path} answered {status}.",
    token_label: "Token",
    token_use: "Use this token",
    token_required: "This service requires a token.",
    token_refused: "The token was refused. Check the token and enter it again.",
    token_characters: "A token has visible ASCII characters only: no spaces, no accents, no other alphabets.",
    search: "Search",
    more: "Show more",
    count: "{shown} of {found}",
    truncated: "The page holds the first {most} only. The API lists all of them.",
    required: "required",
    not_required: "not required",
    unknown: "unknown",
    docs: "API: description and requests",
    other_token: "{url} requires a token, which this page does not have.",
    rate: "Events/s (1 min)",
    chart: "The last minute: now {now}, at most {most}",
  },
  pt: {
    ready: "Pronto",
    not_ready: "Não está pronto",
    unreachable: "O serviço não responde. A página mostra a última resposta.",
    late: "{path} não respondeu em {seconds} s.",
    failed: "{path} respondeu {status}.",
    token_label: "Token",
    token_use: "Usar este token",
    token_required: "Este serviço exige um token.",
    token_refused: "O token foi recusado. Confira o token e informe-o de novo.",
    token_characters: "Um token só tem caracteres ASCII visíveis: sem espaços, sem acentos, sem outros alfabetos.",
    search: "Buscar",
    more: "Mostrar mais",
    count: "{shown} de {found}",
    truncated: "A página guarda só os primeiros {most}. A API lista todos.",
    required: "necessário",
    not_required: "não necessário",
    unknown: "desconhecido",
    docs: "API: descrição e requisições",
    other_token: "{url} exige um token, que esta página não tem.",
    rate: "Eventos/s (1 min)",
    chart: "O último minuto: agora {now}, no máximo {most}",
    // Values of /ready. English shows them as the service writes them.
    up: "ativo",
    down: "indisponível",
    starting: "iniciando",
    stuck: "travado",
  },
};

const LOCALES = {en: "en-US", pt: "pt-BR"};
const language = navigator.languages.map(tag => tag.split("-")[0].toLowerCase()).find(tag => tag in texts) ?? "en";
export const locale = LOCALES[language];

export function addTexts(own) {
  for (const each in texts) Object.assign(texts[each], own[each]);
}

// The sentence of that name, with its {places} filled.
export function translate(name, values = {}) {
  return texts[language][name].replace(/\{(\w+)\}/g, (_, place) => values[place]);
}

// A value that a service reports, in the language of the page where the page knows the value.
export function word(value) {
  return texts[language][value] ?? String(value).replaceAll("_", " ");
}

// Fills each element that names its sentence: <label data-text="search">.
export function fillTexts() {
  document.documentElement.lang = locale;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = translate(element.dataset.text);
}

const relative = new Intl.RelativeTimeFormat(locale, {numeric: "auto", style: "narrow"});

export function ago(seconds) {
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]])
    if (seconds >= size) return relative.format(-Math.floor(seconds / size), unit);
  return relative.format(-Math.max(0, Math.floor(seconds)), "second");
}
