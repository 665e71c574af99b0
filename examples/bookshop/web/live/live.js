/**
 * Live updates for a page: one stream to the hub per browser, shared by all its tabs.
 *
 *     const live = connect({ hub, matchers: { urlpattern: ['https://example.com/books/:id'] }, cursor });
 *     live.addEventListener('message', ({ detail: { id, type, data } }) => ...);
 *     live.addEventListener('state', () => show(live.state));  // connecting, open, reconnecting, offline
 *     live.addEventListener('gap', () => fetchAgain());        // something may have been missed
 *     live.addEventListener('tabs', () => show(live.tabs));    // how many tabs share the stream
 *     live.close();
 *
 * `tokens: { url, headers }` says where tokens for the hub can be had; each connection asks for a new one.
 *
 * `cursor` is the `last-event-id` of the response that the page was made from: nothing that
 * was published between that response and the subscription is missed. Without it a `gap`
 * is fired as soon as the stream is open. Messages may repeat: apply them idempotently.
 *
 * Why shared: a browser opens six HTTP/1.1 connections per origin, so a stream per tab would
 * freeze the seventh tab. Three ways, the first that works here is taken:
 * - `worker`: a SharedWorker holds the stream;
 * - `leader`: the tab that holds a Web Lock has the stream and passes it on by BroadcastChannel;
 *   when it goes, the next one in the queue takes over from the last event that it has seen;
 * - `alone`: this tab has its own.
 */
import { Relay } from './relay.js';

export function connect(options) {
  return new Live(options);
}

class Live extends EventTarget {
  state = 'connecting';
  tabs = 1;
  /** Which of the three ways is in use: worker, leader or alone. */
  sharing = null;

  #key;
  #options;
  #ways;
  #tab = randomId();
  #cursor;
  #link = null;
  #joined = false;
  #everJoined = false;
  #askedAt = 0;
  #heardAt = 0;
  #timers = [];
  #lifetime = new AbortController();

  constructor({ hub, matchers, cursor = null, credentials = 'same-origin', tokens = null, sharing = ['worker', 'leader', 'alone'] }) {
    super();
    this.#options = { hub: String(hub), matchers, credentials, tokens };
    this.#key = JSON.stringify([this.#options.hub, matchers, credentials, tokens]);
    this.#cursor = cursor;
    this.#ways = [...sharing];
    this.#attach();
    this.#watchThePage();
  }

  /** The id of the last event that this tab was given; null if none is known. */
  get cursor() {
    return this.#cursor;
  }

  /** Does not wait for the next attempt. */
  retry() {
    this.#say('wake');
  }

  close() {
    this.#lifetime.abort();
    this.#timers.forEach(clearInterval);
    this.#detach();
  }

  #attach() {
    while (this.#link === null && this.#ways.length > 0) {
      this.sharing = this.#ways[0];
      this.#link = this.#open(WAYS[this.sharing]);
      if (this.#link === null) this.#ways.shift();
    }
    if (this.#link === null) throw new Error('live: no way to open a stream was given');
    this.#join();
  }

  #join() {
    this.#joined = false;
    this.#askedAt = Date.now();
    this.#say('join');
  }

  #open(way) {
    const link = { closed: false };
    const ports = {
      key: this.#key,
      tab: this.#tab,
      options: this.#options,
      receive: (event) => link.closed || this.#receive(event),
      rejoin: () => link.closed || this.#join(),
      failed: () => link.closed || this.#fallBack(),
    };
    try {
      return Object.assign(link, way(ports));
    } catch (error) {
      console.info(`live: not shared by ${this.sharing}: ${error.message}`);
      return null;
    }
  }

  #detach() {
    if (this.#link === null) return;
    this.#say('leave');
    this.#link.closed = true;
    this.#link.close();
    this.#link = null;
    this.#joined = false;
  }

  /** This way does not work in this browser: take the next one. */
  #fallBack() {
    if (this.#joined) return;
    if (this.#ways.length === 1) return this.#set('state', 'offline');
    this.#ways.shift();
    this.#detach();
    this.#attach();
  }

  #say(kind) {
    this.#link?.post({ kind, key: this.#key, tab: this.#tab, cursor: this.#cursor, options: this.#options });
  }

  #receive(event) {
    this.#heardAt = Date.now();
    if (event.kind === 'unknown') return this.#join();
    if (event.kind === 'joined') this.#joined = this.#everJoined = true;
    // Before this tab has joined, an event for all could overtake what it has yet to be replayed.
    if (!this.#joined) return;
    if (event.kind === 'message') this.#deliver(event.message);
    else if (event.kind === 'gap') this.dispatchEvent(new Event('gap'));
    else if (event.kind === 'tabs') this.#set('tabs', event.count);
    else if (event.kind === 'state') this.#set('state', event.state);
  }

  #deliver(message) {
    if (message.id !== '') this.#cursor = message.id;
    this.dispatchEvent(new CustomEvent('message', { detail: message }));
  }

  #set(name, value) {
    if (this[name] === value) return;
    this[name] = value;
    this.dispatchEvent(new Event(name));
  }

  #watchThePage() {
    const { signal } = this.#lifetime;
    this.#timers = [setInterval(() => this.#checkLink(), PING)];
    addEventListener('pagehide', () => this.#detach(), { signal });
    addEventListener('pageshow', () => this.#link ?? this.#attach(), { signal });
    document.addEventListener('visibilitychange', () => document.hidden || this.#look(), { signal });
  }

  /** The user is back: a dead worker or a waiting stream is not to be seen on the screen. */
  #look() {
    this.#say('wake');
    this.#checkLink();
    setTimeout(() => this.#checkLink(), ANSWER + 1);
  }

  /** Nothing tells a page that its SharedWorker was killed; only an unanswered question does. */
  #checkLink() {
    if (this.#link === null) return;
    const now = Date.now();
    const unanswered = this.#askedAt > this.#heardAt;
    if (unanswered && now - this.#askedAt > (this.#everJoined ? ANSWER : START)) return this.#replaceLink();
    if (unanswered) return;
    this.#askedAt = now;
    this.#say('ping');
  }

  #replaceLink() {
    this.#set('state', 'reconnecting');
    if (!this.#joined) return this.#fallBack();
    this.#detach();
    this.#attach();
  }
}

const WAYS = { worker: byWorker, leader: byLeader, alone: byMyself };

function byWorker({ receive, failed }) {
  if (!('SharedWorker' in globalThis)) throw new Error('this browser has no SharedWorker');
  const worker = new SharedWorker(new URL('./worker.js', import.meta.url), { type: 'module', name: WORKER });
  worker.onerror = failed;
  worker.port.onmessage = ({ data }) => receive(data);
  return { post: (message) => worker.port.postMessage(message), close: () => worker.port.close() };
}

function byLeader({ key, tab, options, receive, rejoin, failed }) {
  if (!navigator.locks) throw new Error('Web Locks need a secure context');
  const name = `${WORKER} ${key}`;
  const channel = new BroadcastChannel(name);
  const abdication = new AbortController();
  let relay = null;

  const send = (event, to) => {
    if (to === undefined || to !== tab) channel.postMessage({ event, to });
    if (to === undefined || to === tab) receive(event);
  };
  const lead = () => {
    relay = new Relay(options, send);
    channel.postMessage({ lead: true });
    rejoin();
    return new Promise((resolve) => abdication.signal.addEventListener('abort', resolve));
  };
  channel.onmessage = ({ data }) => {
    if (data.lead) rejoin();
    else if (data.event && (data.to === undefined || data.to === tab)) receive(data.event);
    else if (data.said) hear(relay, data.said);
  };
  navigator.locks.request(name, { signal: abdication.signal }, lead).catch((error) => error.name === 'AbortError' || failed());
  return {
    post: (said) => (relay ? hear(relay, said) : channel.postMessage({ said })),
    close: () => {
      relay?.close();
      abdication.abort();
      channel.close();
    },
  };
}

function byMyself({ options, receive }) {
  const relay = new Relay(options, (event) => receive(event));
  return { post: (said) => hear(relay, said), close: () => relay.close() };
}

function hear(relay, { kind, tab, cursor }) {
  if (kind === 'join') relay?.join(tab, cursor);
  else if (kind === 'ping') relay?.ping(tab);
  else if (kind === 'leave') relay?.leave(tab);
  else if (kind === 'wake') relay?.wake();
}

/** `crypto.randomUUID` needs a secure context. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join('');
}

/** Names the messages' version: a worker outlives the deployment that started it. */
const WORKER = 'petasos-live-1';
const PING = 5_000;
const ANSWER = 3_000;
/** The worker's scripts may have to come over a slow network first. */
const START = 20_000;
