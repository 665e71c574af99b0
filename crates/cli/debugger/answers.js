/** Status and headers of what the hub answered, the newest first. */
import { clock, find, make } from './dom.js';

export function record(method, url, response) {
  find('answers-hint').hidden = true;
  const good = response.status < 400;
  const summary = make('summary', {},
    make('span', { className: 'method' }, method),
    make('span', { className: 'code', data: { good } }, String(response.status)),
    make('span', { className: 'path', title: url }, decode(short(url))),
    make('time', { className: 'soft' }, clock().slice(0, 8)));
  const rows = headers(response).flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]);
  const list = find('answers');
  for (const other of list.querySelectorAll('details')) other.open = false;
  list.prepend(make('li', {}, make('details', { open: true }, summary, make('dl', {}, ...rows))));
  while (list.children.length > MOST) list.lastElementChild.remove();
}

/** What follows the hub's own URL, or all of it. */
function short(url) {
  const hub = new URL('..', location.href).href.replace(/\/$/, '');
  return url.slice(hub.length) || new URL(url).pathname;
}

/** Those first that say something about Mercure. */
function headers(response) {
  const rank = ([name]) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return [...response.headers].sort((a, b) => rank(a) - rank(b));
}

function decode(text) {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

const FIRST = ['mercure-last-event-id', 'link', 'www-authenticate', 'content-type', 'etag'];
const MOST = 20;
