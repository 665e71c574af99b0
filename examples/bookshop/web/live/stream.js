/**
 * One connection to a Mercure hub that never gives up.
 *
 * It fires
 * - `state` when {@link Stream#state} changed: connecting, open, reconnecting or offline;
 * - `message` with `{id, type, data}`, in the order of the hub;
 * - `gap` when it is open and cannot prove that it continues where it (or the page's
 *   document) left off: whoever shows data must fetch it again.
 */
import { Decoder } from './sse.js';

export class Stream extends EventTarget {
  state = 'connecting';

  #url;
  #cursor;
  #credentials;
  #tokens;
  #lifetime = new AbortController();
  #abort = new AbortController();
  #failures = 0;
  #retry = RETRY;
  #wake = () => {};

  constructor({ hub, matchers, cursor, credentials = 'same-origin', tokens = null }) {
    super();
    this.#url = subscribeUrl(hub, matchers);
    this.#cursor = cursor ?? null;
    this.#credentials = credentials;
    this.#tokens = tokens;
    globalThis.addEventListener('online', () => this.wake(), { signal: this.#lifetime.signal });
    this.#run();
  }

  /** The id of the last event seen, or null. */
  get cursor() {
    return this.#cursor;
  }

  close() {
    this.#lifetime.abort();
    this.#abort.abort();
    this.#wake();
  }

  /** Tries now instead of waiting for the next attempt. */
  wake() {
    this.#wake();
  }

  async #run() {
    while (!this.#lifetime.signal.aborted) {
      const startedAt = Date.now();
      const opened = await this.#session();
      if (this.#lifetime.signal.aborted) return;
      // A hub that accepts and drops at once must not be hammered.
      this.#failures = opened && Date.now() - startedAt > STABLE ? 0 : this.#failures + 1;
      this.#become(this.#failures >= GIVEN_UP_HOPE || globalThis.navigator?.onLine === false ? 'offline' : 'reconnecting');
      await this.#pause(backoff(this.#retry, this.#failures));
    }
  }

  /** Runs one connection to its end; true if the hub had accepted it. */
  async #session() {
    this.#abort = new AbortController();
    const asked = this.#cursor;
    let opened = false;
    try {
      const response = await withTimeout(this.#abort, ANSWER, async () => fetch(this.#request(asked, await this.#authorization())));
      if (!isEventStream(response)) throw new Error(`the hub answered ${response.status}`);
      opened = true;
      this.#accept(asked, response.headers.get('Mercure-Last-Event-ID'));
      await this.#read(response.body.getReader());
    } catch (error) {
      const expected = error.name === 'AbortError' || error instanceof TypeError; // a time-out, or no network
      if (!expected) console.warn(`live: ${error.message}`);
    }
    this.#abort.abort();
    return opened;
  }

  /** A token lives for minutes, a stream no longer than its token: each connection gets a new one. */
  async #authorization() {
    if (this.#tokens === null) return {};
    const { url, headers } = this.#tokens;
    const response = await fetch(url, { headers, cache: 'no-store', credentials: this.#credentials, signal: this.#abort.signal });
    if (!response.ok) throw new Error(`no token was given: ${response.status}`);
    const { token_type: type, access_token: token } = await response.json();
    return { Authorization: `${type} ${token}` };
  }

  #request(cursor, authorization) {
    const url = new URL(this.#url);
    if (cursor !== null) url.searchParams.set('last_event_id', cursor);
    return new Request(url, {
      headers: { Accept: 'text/event-stream', ...authorization },
      cache: 'no-store',
      credentials: this.#credentials,
      signal: this.#abort.signal,
    });
  }

  #accept(asked, resumedAfter) {
    this.#become('open');
    if (asked === null || resumedAfter !== asked) this.dispatchEvent(new Event('gap'));
  }

  async #read(reader) {
    const decoder = new Decoder();
    for (;;) {
      const { done, value } = await withTimeout(this.#abort, SILENCE, () => reader.read());
      if (done) return;
      for (const message of decoder.feed(value)) this.dispatchEvent(new CustomEvent('message', { detail: message }));
      if (decoder.lastEventId !== '') this.#cursor = decoder.lastEventId;
      if (decoder.retry !== null) this.#retry = Math.min(Math.max(decoder.retry, SHORTEST), LONGEST);
    }
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function subscribeUrl(hub, matchers) {
  const url = new URL(hub);
  for (const [type, values] of Object.entries(matchers)) {
    for (const value of values) url.searchParams.append(`match_${type}`, value);
  }
  return url;
}

function isEventStream(response) {
  return response.ok && (response.headers.get('Content-Type') ?? '').startsWith('text/event-stream');
}

/** Half fixed, half random: a thousand pages must not come back in the same millisecond. */
function backoff(retry, failures) {
  const ceiling = Math.min(LONGEST, retry * 2 ** Math.min(failures, 10));
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}

async function withTimeout(abort, milliseconds, action) {
  const timer = setTimeout(() => abort.abort(), milliseconds);
  try {
    return await action();
  } finally {
    clearTimeout(timer);
  }
}

const RETRY = 500;
const SHORTEST = 100;
const LONGEST = 10_000;
const ANSWER = 20_000;
/** Hubs send a heartbeat every 40 s by default; two missing ones mean that nobody is there. */
const SILENCE = 95_000;
const STABLE = 5_000;
const GIVEN_UP_HOPE = 4;
