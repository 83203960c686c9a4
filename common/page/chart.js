// A measurement over the last minute: its value now, and a small chart, drawn as SVG.
import {locale, translate} from "./texts.js";

const SPAN_MS = 60_000;
const WIDTH = 120, HEIGHT = 32;
const SVG = "http://www.w3.org/2000/svg";

export class Chart {
  #points = []; // {time, value}, the oldest first
  #text = document.createElement("span");
  #svg = document.createElementNS(SVG, "svg");
  #area = document.createElementNS(SVG, "path");

  constructor(parent) {
    this.#svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.#svg.setAttribute("preserveAspectRatio", "none");
    this.#svg.setAttribute("role", "img");
    this.#svg.setAttribute("aria-label", translate("unknown"));
    this.#svg.append(this.#area);
    parent.replaceChildren(this.#text, this.#svg);
  }

  // Shows a new value. Without one, the chart keeps those it has.
  add(value) {
    if (value === undefined) return void (this.#text.textContent = translate("unknown"));
    const now = performance.now();
    this.#points.push({time: now, value});
    while (this.#points[0].time < now - SPAN_MS) this.#points.shift();
    const most = Math.max(...this.#points.map(point => point.value));
    const shown = number => number.toLocaleString(locale, {maximumFractionDigits: number < 10 ? 1 : 0});
    this.#text.textContent = shown(value);
    this.#svg.setAttribute("aria-label", translate("chart", {now: shown(value), most: shown(most)}));
    this.#area.setAttribute("d", this.#path(now, Math.max(most, 1)));
  }

  // Each value is drawn from the previous point to its own: a rate is that of the time between the two.
  #path(now, most) {
    const x = time => (WIDTH * (1 - (now - time) / SPAN_MS)).toFixed(1);
    const y = value => (HEIGHT - 1 - (HEIGHT - 2) * value / most).toFixed(1);
    const [first, ...rest] = this.#points;
    const steps = rest.map(({time, value}) => `V${y(value)}H${x(time)}`).join("");
    return `M${x(first.time)},${HEIGHT}V${y(first.value)}${steps}V${HEIGHT}Z`;
  }
}
