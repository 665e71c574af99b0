import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';

import { Relay } from '../web/live/relay.js';
import { Stream } from '../web/live/stream.js';

Object.defineProperty(globalThis, 'addEventListener', { value: () => {}, configurable: true });

const HUB = 'http://hub.test/.well-known/mercure';
const OPTIONS = { hub: HUB, matchers: { urlpattern: ['http://api.test/books/:id'] } };

/** A hub made of promises: each connection is answered, fed and cut by the test. */
class FakeHub {
  #waiting = [];
  #arrived = [];

  constructor(t) {
    t.mock.method(globalThis, 'fetch', (request) => this.#connect(request));
    t.after(() => this.streams.forEach((stream) => stream.close()));
  }

  streams = [];

  connection() {
    return this.#arrived.shift() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  #connect(request) {
    return new Promise((resolve, reject) => {
      let body;
      const readable = new ReadableStream({ start: (controller) => (body = controller) });
      request.signal.addEventListener('abort', () => {
        const error = new DOMException('aborted', 'AbortError');
        reject(error);
        try {
          body.error(error);
        } catch {
          // The test has closed it already.
        }
      });
      const connection = {
        url: new URL(request.url),
        accept: (headers = {}) => resolve(new Response(readable, { headers: { 'Content-Type': 'text/event-stream', ...headers } })),
        refuse: (status) => resolve(new Response('', { status })),
        send: (text) => body.enqueue(new TextEncoder().encode(text)),
        cut: () => body.close(),
      };
      const waiting = this.#waiting.shift();
      if (waiting) waiting(connection);
      else this.#arrived.push(connection);
    });
  }
}

function open(hub, options) {
  const stream = new Stream({ ...OPTIONS, ...options });
  hub.streams.push(stream);
  return stream;
}

/** An event of an EventTarget as a promise; `once` of Node does the same for both kinds. */
const next = (target, name) => once(target, name).then(([event]) => event);

test('asks for what happened after the document and trusts a hub that continues there', async (t) => {
  const hub = new FakeHub(t);
  const stream = open(hub, { cursor: 'e1' });
  stream.addEventListener('gap', () => assert.fail('there is no gap'));
  const connection = await hub.connection();
  assert.equal(connection.url.searchParams.get('last_event_id'), 'e1');
  assert.deepEqual(connection.url.searchParams.getAll('match_urlpattern'), ['http://api.test/books/:id']);
  const message = next(stream, 'message');
  connection.accept({ 'Mercure-Last-Event-ID': 'e1' });
  connection.send('id: e2\ndata: {}\n\n');
  assert.deepEqual((await message).detail, { id: 'e2', type: 'message', data: '{}' });
  assert.equal(stream.state, 'open');
});

test('reports a gap when the hub has forgotten, and when nothing was known', async (t) => {
  const hub = new FakeHub(t);
  for (const [cursor, headers] of [['e1', { 'Mercure-Last-Event-ID': 'earliest' }], ['e1', {}], [null, {}]]) {
    const stream = open(hub, { cursor });
    const gap = next(stream, 'gap');
    (await hub.connection()).accept(headers);
    await gap;
  }
});

test('comes back after a cut and a refusal with the last event that it has seen', async (t) => {
  const hub = new FakeHub(t);
  const stream = open(hub, { cursor: null });
  const first = await hub.connection();
  const message = next(stream, 'message');
  first.accept();
  first.send('retry: 1\nid: e5\ndata: x\n\n');
  await message;
  const lost = next(stream, 'state');
  first.cut();
  await lost;
  assert.equal(stream.state, 'reconnecting');
  stream.wake();
  const second = await hub.connection();
  assert.equal(second.url.searchParams.get('last_event_id'), 'e5');
  second.refuse(503);
  const third = await hub.connection();
  assert.equal(third.url.searchParams.get('last_event_id'), 'e5');
  const back = next(stream, 'state');
  third.accept({ 'Mercure-Last-Event-ID': 'e5' });
  await back;
  assert.equal(stream.state, 'open');
});

test('a relay replays to a late tab what it missed, or tells it that there is a gap', async (t) => {
  const hub = new FakeHub(t);
  const told = [];
  let arrived;
  const relay = new Relay(OPTIONS, (event, tab) => {
    told.push([tab ?? 'all', event.kind, event.message?.id ?? event.state ?? event.count]);
    if (event.message?.id === 'e3') arrived();
  });
  t.after(() => relay.close());
  const third = new Promise((resolve) => (arrived = resolve));
  relay.join('one', 'e1');
  const connection = await hub.connection();
  connection.accept({ 'Mercure-Last-Event-ID': 'e1' });
  connection.send('id: e2\ndata: a\n\nid: e3\ndata: b\n\n');
  await third;
  told.length = 0;
  relay.join('two', 'e2');
  relay.join('three', 'unheard of');
  relay.join('four', 'e3');
  const only = (tab) => told.filter(([to]) => to === tab).map(([, ...event]) => event);
  const start = [['joined', undefined], ['state', 'open']];
  assert.deepEqual(only('two'), [...start, ['message', 'e3']]);
  assert.deepEqual(only('three'), [...start, ['gap', undefined]]);
  assert.deepEqual(only('four'), start);
  assert.deepEqual(only('all').at(-1), ['tabs', 4]);
});

test('a relay closes its stream with the last tab and asks a forgotten one to join again', async (t) => {
  const hub = new FakeHub(t);
  const told = [];
  const relay = new Relay(OPTIONS, (event, tab) => told.push([tab, event.kind]));
  relay.join('one', null);
  const connection = await hub.connection();
  relay.ping('stranger');
  assert.deepEqual(told.at(-1), ['stranger', 'unknown']);
  relay.leave('one');
  assert.equal(relay.idle, true);
  assert.equal(connection.url.origin, 'http://hub.test');
});
