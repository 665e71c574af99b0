/**
 * One stream, shared by many tabs; it runs in a SharedWorker or in the leading tab.
 *
 * Each tab joins with its own cursor: the id up to which its document is already right.
 * What the stream has seen since is replayed to that tab alone, or, if the relay does not
 * remember that far, the tab is told that there is a gap.
 *
 * `send(event, tab)` delivers to one tab, or to all that have joined if `tab` is undefined.
 * Events: `{kind: 'joined' | 'state' | 'tabs' | 'message' | 'gap' | 'pong' | 'unknown', ...}`.
 */
import { Stream } from './stream.js';

export class Relay {
  #options;
  #send;
  #stream = null;
  #tabs = new Map();
  #recent = [];
  #remembered = 0;

  constructor(options, send) {
    this.#options = options;
    this.#send = send;
  }

  /** True once nobody listens any more. */
  get idle() {
    return this.#tabs.size === 0;
  }

  join(tab, cursor) {
    const first = this.#stream === null;
    this.#stream ??= this.#open(cursor);
    this.#tabs.set(tab, Date.now());
    this.#send({ kind: 'joined' }, tab);
    this.#send({ kind: 'state', state: this.#stream.state }, tab);
    if (!first) this.#catchUp(tab, cursor);
    this.#countTabs();
  }

  /** A tab is alive; one that was already given up is asked to join again. */
  ping(tab) {
    if (!this.#tabs.has(tab)) return this.#send({ kind: 'unknown' }, tab);
    this.#tabs.set(tab, Date.now());
    this.#sweep();
    this.#send({ kind: 'pong' }, tab);
  }

  leave(tab) {
    if (this.#tabs.delete(tab)) this.#countTabs();
    if (this.idle) this.close();
  }

  /** Someone looks at the page again: try now. */
  wake() {
    this.#stream?.wake();
  }

  close() {
    this.#stream?.close();
    this.#stream = null;
    this.#recent = [];
    this.#remembered = 0;
  }

  #open(cursor) {
    const stream = new Stream({ ...this.#options, cursor });
    stream.addEventListener('state', () => this.#send({ kind: 'state', state: stream.state }));
    stream.addEventListener('gap', () => this.#send({ kind: 'gap' }));
    stream.addEventListener('message', ({ detail }) => {
      this.#remember(detail);
      this.#send({ kind: 'message', message: detail });
    });
    return stream;
  }

  #catchUp(tab, cursor) {
    if (cursor === null) return this.#send({ kind: 'gap' }, tab);
    const at = this.#recent.findLastIndex((message) => message.id === cursor);
    if (at < 0 && cursor !== this.#stream.cursor) return this.#send({ kind: 'gap' }, tab);
    if (at < 0) return;
    for (const message of this.#recent.slice(at + 1)) this.#send({ kind: 'message', message }, tab);
  }

  #remember(message) {
    this.#recent.push(message);
    this.#remembered += message.data.length;
    while (this.#recent.length > MOST_MESSAGES || this.#remembered > MOST_CHARACTERS) {
      this.#remembered -= this.#recent.shift().data.length;
    }
  }

  /** Drops tabs that went away without a word (a crash): browsers announce none. */
  #sweep() {
    const limit = Date.now() - LONGEST_SILENCE;
    for (const [tab, heard] of this.#tabs) {
      if (heard >= limit) continue;
      this.#send({ kind: 'unknown' }, tab);
      this.leave(tab);
    }
  }

  #countTabs() {
    this.#send({ kind: 'tabs', count: this.#tabs.size });
  }
}

const MOST_MESSAGES = 500;
const MOST_CHARACTERS = 1_000_000;
/** Browsers let the timers of a hidden tab fire once a minute. */
const LONGEST_SILENCE = 150_000;
