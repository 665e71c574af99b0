/** The debugger of a Mercure hub: subscribe, publish, and see what the hub answers. */
import { record } from './answers.js';
import * as curl from './curl.js';
import { announce, clock, copy, find } from './dom.js';
import { Events } from './events.js';
import { Rows } from './rows.js';
import { follow, headers, problem } from './stream.js';
import { Subscriptions } from './subscriptions.js';
import { explain } from './token.js';

const hub = new URL('..', location.href).href.replace(/\/$/, '');
const events = new Events();
const subscriptions = new Subscriptions(hub);
const matchers = new Rows({ list: find('matchers'), add: find('add-matcher'), noun: 'Matcher', types: ['exact', 'urlpattern'], changed: remember });
const topics = new Rows({ list: find('topics'), add: find('add-topic'), noun: 'Topic' });
let running = null;

const token = () => find('token').value.trim();

function subscribeUrl() {
  const query = new URLSearchParams(matchers.values.map(({ type, value }) => [`match_${type}`, value]));
  return `${hub}?${query}`;
}

/** The matchers stand in the address, so that it can be kept and shared. The token never does. */
function remember() {
  const query = new URLSearchParams(matchers.values.map(({ type, value }) => [`match_${type}`, value]));
  history.replaceState(null, '', `#${query}`);
}

function recall() {
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    if (name === 'match_exact' || name === 'match_urlpattern') matchers.add(value, name.slice('match_'.length));
  }
  if (matchers.values.length === 0) matchers.add('*', 'exact');
}

async function subscribe(event) {
  event.preventDefault();
  running?.abort();
  if (matchers.values.length === 0) return say('subscribe-message', 'Give at least one matcher; * matches every topic.', true);
  running = new AbortController();
  const { signal } = running;
  const [url, cursor] = [subscribeUrl(), find('cursor').value.trim()];
  say('subscribe-message', '');
  await follow({
    url, token: token(), cursor, signal,
    on: {
      state: (name, detail) => { if (running?.signal === signal) become(name, detail); },
      answer: (response) => record('GET', url, response),
      event: (one) => events.add(one),
      comment: () => events.beat(),
    },
  });
}

function become(state, detail) {
  const texts = {
    idle: 'Not subscribed', connecting: 'Connecting', live: 'Live', refused: 'Refused',
    waiting: `Again in ${Math.max(1, Math.round((detail ?? 0) / 1000))} s`,
  };
  find('status').dataset.state = state;
  find('status-text').textContent = texts[state];
  announce(texts[state]);
  const active = !['idle', 'refused'].includes(state);
  find('stop-button').hidden = !active;
  find('subscribe-button').textContent = active ? 'Resubscribe' : 'Subscribe';
  if (state === 'refused') say('subscribe-message', detail, true);
}

function stop() {
  running?.abort();
  find('subscribe-button').focus();
}

function form() {
  const fields = topics.values.map(({ value }) => ['topic', value]);
  fields.push(['data', find('data').value]);
  if (find('private').checked) fields.push(['private', 'on']);
  for (const name of ['id', 'type', 'retry']) {
    if (find(name).value !== '') fields.push([name, find(name).value]);
  }
  return new URLSearchParams(fields);
}

async function publish(event) {
  event.preventDefault();
  try {
    const start = performance.now();
    const response = await fetch(hub, { method: 'POST', headers: headers(token()), body: form() });
    const took = Math.round(performance.now() - start);
    record('POST', hub, response);
    if (response.ok) say('publish-message', `Published at ${clock().slice(0, 8)} in ${took} ms as ${await response.text()}`);
    else say('publish-message', await problem(response), true);
  } catch (error) {
    say('publish-message', `The hub cannot be reached: ${error.message}.`, true);
  }
}

function say(id, text, wrong = false) {
  find(id).textContent = text;
  find(id).dataset.wrong = wrong;
}

function judge() {
  const { text, wrong = false } = explain(token());
  say('token-says', text || 'Without one, the hub lets you do what it lets everyone do.', wrong);
}

async function settings() {
  const response = await fetch('settings.json', { cache: 'no-store' });
  const { dev, token: ready } = await response.json();
  find('dev-banner').hidden = !dev;
  if (ready && token() === '') find('token').value = ready;
}

function start() {
  find('hub-url').textContent = hub;
  topics.add('https://example.com/books/1');
  find('data').value = '{\n  "@id": "/books/1",\n  "title": "Hello from the debugger"\n}';
  recall();
  find('subscribe').addEventListener('submit', subscribe);
  find('publish').addEventListener('submit', publish);
  find('stop-button').addEventListener('click', stop);
  find('publish').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) find('publish').requestSubmit();
  });
  find('token').addEventListener('input', judge);
  find('token').addEventListener('change', () => subscriptions.watch(token()));
  find('copy-hub').addEventListener('click', (event) => copy(hub, event.currentTarget));
  find('copy-subscribe').addEventListener('click', (event) => copy(curl.subscribing(subscribeUrl(), token(), find('cursor').value.trim()), event.currentTarget));
  find('copy-publish').addEventListener('click', (event) => copy(curl.publishing(hub, token(), form()), event.currentTarget));
}

start();
await settings().catch((error) => console.debug('there are no settings', error));
judge();
subscriptions.watch(token());
