// The recent events of the service, how many arrive in a second, and the link to the page of the other service.
import {read} from "./service.js";

export class EventFeed {
  events = []; // the newest first
  links = {}; // {wallet, balances}: the URL of each service, null where it is unknown
  rate = 0; // events per second between the last two responses
  #newest; // the newest offset of each partition
  #readAt = 0;

  async readNext() {
    const {events, links = {}} = await read("/events");
    const now = performance.now(), known = this.#newest;
    this.#newest = new Map(known);
    // A response holds the last events only; the offsets count those between two responses too.
    let arrived = 0;
    for (const [partition, all] of Map.groupBy(events, ({topic, partition}) => `${topic}[${partition}]`)) {
      const newest = Math.max(...all.map(event => event.offset));
      this.#newest.set(partition, newest);
      arrived += known?.has(partition) ? Math.max(0, newest - known.get(partition)) : all.length;
    }
    this.rate = known ? arrived * 1000 / (now - this.#readAt) : 0;
    Object.assign(this, {events, links});
    this.#readAt = now;
  }
}

export const place = ({topic, partition, offset}) => `${topic}[${partition}]@${offset}`;

// Shows the link to the other page, once its URL is known.
export function showLink(element, url) {
  element.hidden = !url;
  if (url && element.getAttribute("href") !== url) element.href = url;
}
