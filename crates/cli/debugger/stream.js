/**
 * A subscription that reconnects. It uses `fetch`, because `EventSource` sends no `Authorization` header and hides the
 * answer's status and headers.
 */
import { Decoder } from './sse.js';

/**
 * Runs until `signal` aborts or the hub refuses. `on` is told of everything:
 * `state(name, detail)` with connecting, live, waiting, refused or idle; `answer(response)`; `event({id, type, data})`;
 * `comment()`.
 */
export async function follow({ url, token, cursor, signal, on }) {
  let [last, retry, failures] = [cursor, RETRY, 0];
  while (!signal.aborted) {
    on.state('connecting');
    try {
      const response = await fetch(url, { headers: headers(token, last), cache: 'no-store', signal });
      on.answer(response, url);
      if (refuses(response)) return on.state('refused', await problem(response));
      if (response.ok) {
        failures = 0;
        on.state('live');
        for await (const item of items(response.body)) {
          if (item.event) {
            last = item.event.id || last;
            on.event(item.event);
          } else if (item.retry !== undefined) retry = item.retry;
          else on.comment();
        }
      }
    } catch (error) {
      if (signal.aborted) break;
      console.debug('the stream broke off', error);
    }
    failures += 1;
    const wait = Math.min(LONGEST, retry * 2 ** Math.min(failures - 1, 6)) * (0.5 + Math.random() / 2);
    on.state('waiting', wait);
    await pause(wait, signal);
  }
  on.state('idle');
}

/** What a problem document says, or the status. */
export async function problem(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).detail ?? `The hub answered ${response.status}.`;
  } catch {
    return `The hub answered ${response.status}.`;
  }
}

/** Headers of a request. */
export function headers(token, cursor) {
  const all = new Headers();
  if (token) all.set('Authorization', `Bearer ${token}`);
  if (cursor) all.set('Last-Event-ID', cursor);
  return all;
}

/** Too many subscribers and trouble of the server pass; anything else will be refused again. */
function refuses(response) {
  return response.status >= 400 && response.status < 500 && response.status !== 429;
}

async function* items(body) {
  const [decoder, reader] = [new Decoder(), body.getReader()];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield* decoder.feed(value);
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

const RETRY = 1_000;
const LONGEST = 30_000;
