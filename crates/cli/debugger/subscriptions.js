/** The active subscriptions: read once, then kept by the hub's own events about them (ACT of the specification). */
import { record } from './answers.js';
import { find, make } from './dom.js';
import { follow, headers, problem } from './stream.js';

export class Subscriptions {
  #hub;
  #abort = new AbortController();
  #known = new Map();

  constructor(hub) {
    this.#hub = hub;
  }

  /** Begins anew, with another token. */
  async watch(token) {
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#become(token ? 'Reading the list.' : 'They are shown to those whose token allows it.');
    if (!token) return;
    try {
      const cursor = await this.#read(token, signal);
      if (cursor !== null) this.#keep(token, cursor, signal);
    } catch (error) {
      if (!signal.aborted) this.#become(`The list cannot be read: ${error.message}.`);
    }
  }

  /** Reads the list; the id of the event after which it goes on, null if it cannot be had. */
  async #read(token, signal) {
    const url = `${this.#hub}/subscriptions`;
    const response = await fetch(url, { headers: headers(token), cache: 'no-store', signal });
    record('GET', url, response);
    if (!response.ok) {
      const off = response.status === 404;
      this.#become(off ? 'This hub does not tell of subscriptions; --subscriptions turns that on.' : await problem(response));
      return null;
    }
    this.#known = new Map((await response.json()).subscriptions.map((one) => [one.id, one]));
    this.#render();
    return /last-event-id="([^"]*)"/.exec(response.headers.get('Link') ?? '')?.[1] ?? 'earliest';
  }

  #keep(token, cursor, signal) {
    const path = new URL(this.#hub).pathname;
    const url = `${this.#hub}?${new URLSearchParams({ match_urlpattern: `${path}/subscriptions/:type/:match/:subscriber` })}`;
    let first = true;
    const on = {
      state: (state, detail) => { if (state === 'refused') this.#become(detail); },
      comment: () => {},
      event: ({ data }) => this.#apply(JSON.parse(data)),
      answer: (response) => {
        if (first) record('GET', url, response);
        // Reconnected to a hub that has forgotten where this page was: the list may have gaps.
        const lost = response.ok && response.headers.get('Mercure-Last-Event-ID') === 'earliest' && !first;
        first = false;
        if (lost) this.#read(token, signal).catch((error) => console.debug('the list cannot be read again', error));
      },
    };
    follow({ url, token, cursor, signal, on });
  }

  #apply(one) {
    if (one.active) this.#known.set(one.id, one);
    else this.#known.delete(one.id);
    this.#render();
  }

  #become(hint) {
    this.#known = new Map();
    this.#render();
    find('subscriptions-count').hidden = true;
    find('subscriptions-hint').textContent = hint;
    find('subscriptions-hint').hidden = false;
  }

  #render() {
    const count = find('subscriptions-count');
    count.hidden = false;
    count.textContent = String(this.#known.size);
    find('subscriptions-hint').textContent = this.#known.size === 0 ? 'Nobody is subscribed.' : '';
    find('subscriptions-hint').hidden = this.#known.size > 0;
    const newest = [...this.#known.values()].reverse().slice(0, MOST);
    find('subscriptions').replaceChildren(...newest.map(item));
  }
}

function item(one) {
  const payload = one.payload === undefined ? [] : [make('code', { className: 'payload' }, JSON.stringify(one.payload))];
  return make('li', { className: 'subscription' },
    make('p', {}, make('span', { className: 'badge', data: { type: one.match_type } }, one.match_type), make('code', { className: 'match' }, ...breakable(one.match))),
    make('p', { className: 'soft subscriber', title: one.subscriber }, one.subscriber),
    ...payload);
}

/** A line may break after each segment of a path. */
function breakable(text) {
  return text.split(/(?<=\/)/).flatMap((part) => [part, make('wbr')]);
}

/** More than anybody reads; the number above the list counts all. */
const MOST = 100;
