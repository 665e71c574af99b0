/** The list of events, the newest first. */
import { announce, clock, copy, find, icon, make } from './dom.js';
import { show } from './json.js';

export class Events {
  #count = 0;
  #list = find('events');

  constructor() {
    find('clear-events').addEventListener('click', () => this.clear());
  }

  add({ id, type, data }) {
    this.#count += 1;
    const copyId = make('button', { type: 'button', className: 'icon-button', 'aria-label': `Copy the id ${id}` }, icon('copy'));
    copyId.addEventListener('click', () => copy(id, copyId));
    const head = make('div', { className: 'event-head' },
      make('span', { className: 'badge', data: { type } }, type),
      make('code', { className: 'event-id', title: id }, id || 'no id'),
      ...(id ? [copyId] : []),
      make('time', { className: 'soft' }, clock()));
    const body = make('pre', { tabIndex: 0, 'aria-label': 'Data' }, ...show(data));
    this.#list.prepend(make('li', { className: 'event' }, head, data === '' ? make('p', { className: 'soft' }, 'No data.') : body));
    if (this.#list.children.length > MOST) this.#list.lastElementChild.remove();
    this.#tally();
    announce(`${this.#count} ${this.#count === 1 ? 'event' : 'events'}, the newest of type ${type}`);
  }

  /** A sign of life without an event. */
  beat() {
    find('events-tally').dataset.beat = clock().slice(0, 8);
    this.#tally();
  }

  clear() {
    this.#count = 0;
    this.#list.replaceChildren();
    this.#tally();
    announce('The list of events is empty');
  }

  #tally() {
    const tally = find('events-tally');
    const { beat } = tally.dataset;
    const shown = this.#count > MOST ? `, the last ${MOST} shown` : '';
    const parts = [`${this.#count}${shown}`, ...(beat ? [`heartbeat ${beat}`] : [])];
    tally.textContent = parts.join(' \u00b7 ');
    find('events-empty').hidden = this.#count > 0;
  }
}

const MOST = 200;
