/** The indicator in the header: live, reconnecting or offline. */
import { announce } from './announce.js';

const status = document.querySelector('#status');
const toast = document.querySelector('#toast');
let timer = null;

export function showState(state, tabs = 1, sharing = 'alone') {
  clearTimeout(timer);
  // A hub ends a stream now and then; a reconnect that takes no time is not worth a word.
  if (state === 'reconnecting' && status.dataset.state === 'open') timer = setTimeout(() => write(state), GRACE);
  else write(state);
  status.querySelector('.status-more').textContent = state === 'open' && tabs > 1 ? `${tabs} tabs, one stream` : '';
  status.title = state === 'open' ? WAYS[sharing] : '';
}

function write(state) {
  if (state === status.dataset.state) return;
  if (state !== 'connecting') announce(SPOKEN[state]);
  status.dataset.state = state;
  status.querySelector('.status-text').textContent = WORDS[state];
  toast.hidden = state !== 'offline' || !document.querySelector('#error').hidden;
}

const GRACE = 400;
const WORDS = { connecting: 'Connecting', open: 'Live', reconnecting: 'Reconnecting', offline: 'Offline', none: 'Not live' };
const SPOKEN = {
  open: 'This page is live.',
  reconnecting: 'Reconnecting.',
  offline: 'Offline: changes will be caught up with later.',
  none: 'The API names no hub: this page is not live.',
};
const WAYS = {
  worker: 'One stream for all tabs, held by a shared worker',
  leader: 'One stream for all tabs, held by one of them',
  alone: 'This tab has a stream of its own',
};
