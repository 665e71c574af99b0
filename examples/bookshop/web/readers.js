/**
 * Two readers side by side. Each panel is signed in as somebody else and has a token of its own,
 * so that the hub tells it what concerns this reader and nothing else.
 */
import * as api from './api.js';
import { element, fromTemplate } from './dom.js';
import { connect } from './live/live.js';
import { fadeAway, flash } from './motion.js';
import { Store } from './store.js';

/** `titleOf` names a book by its number; `nextBook` chooses one to order. */
export function showReaders(paths, { titleOf, nextBook }) {
  const section = document.querySelector('#readers');
  if (!paths.order || !paths.announcement) return;
  section.hidden = false;
  const panels = READERS.map((reader) => new Panel(reader, paths, { titleOf, nextBook }));
  section.querySelector('.reader-panels').append(...panels.map(({ root }) => root));
  suggest(section);
}

class Panel {
  root = fromTemplate('reader-template');

  #reader;
  #orders;
  #announcements;
  #titleOf;
  #rows = new Map();
  #live = null;

  constructor(reader, paths, { titleOf, nextBook }) {
    this.#reader = reader;
    this.#titleOf = titleOf;
    this.#orders = new Store(paths.order);
    this.#announcements = new Store(paths.announcement);
    this.root.dataset.reader = reader.id;
    this.root.querySelector('.reader-name').textContent = reader.name;
    this.root.querySelector('.reader-role').textContent = reader.role;
    this.#orders.addEventListener('change', ({ detail }) => this.#show(detail, 'orders'));
    this.#announcements.addEventListener('change', ({ detail }) => this.#show(detail, 'announcements'));
    this.root.querySelector('.reader-order').addEventListener('click', () => this.#try(() => this.#order(nextBook())));
    this.#try(() => this.#start());
  }

  async #start() {
    // The cursor of the first answer: what happens after it is replayed.
    const announcements = await api.collection(this.#announcements.path, this.#reader.id);
    const orders = await api.collection(this.#orders.path, this.#reader.id);
    this.#announcements.replace(announcements.members);
    this.#orders.replace(orders.members);
    if (announcements.live) this.#goLive(announcements.live);
  }

  #goLive({ hub, cursor, base }) {
    const patterns = [this.#announcements, this.#orders].map(({ path }) => `${base}${path}/:id`);
    const tokens = { url: new URL(TOKENS, location.href).href, headers: api.signedInAs(this.#reader.id) };
    this.#live = connect({ hub, matchers: { urlpattern: patterns }, cursor, tokens, credentials: 'omit' });
    this.#live.addEventListener('message', ({ detail }) => this.#receive(detail));
    this.#live.addEventListener('gap', () => this.#try(() => this.#fetchAgain()));
    this.#live.addEventListener('state', () => this.#showState());
    this.#showState();
  }

  #showState() {
    this.root.querySelector('.reader-state').dataset.state = this.#live.state;
    this.root.querySelector('.reader-state').textContent = WORDS[this.#live.state];
  }

  #receive({ data }) {
    const document = JSON.parse(data);
    const iri = document['@id'];
    const store = [this.#announcements, this.#orders].find((candidate) => candidate.owns(iri));
    if (Object.keys(document).length === 1) store?.delete(iri);
    else store?.put(document);
  }

  async #fetchAgain() {
    for (const store of [this.#announcements, this.#orders]) store.replace((await api.collection(store.path, this.#reader.id)).members);
  }

  async #order(bookId) {
    if (bookId) this.#orders.put(await api.create(this.#orders.path, { bookId, customer: this.#reader.id, status: 'placed' }, this.#reader.id));
  }

  async #cancel(iri) {
    await api.remove(iri, this.#reader.id);
    this.#orders.delete(iri);
  }

  async #try(action) {
    const place = this.root.querySelector('.form-error');
    place.hidden = true;
    try {
      await action();
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      place.textContent = error.message;
      place.hidden = false;
    }
  }

  #show({ kind, iri, after }, name) {
    const list = this.root.querySelector(`[data-list="${name}"]`);
    const known = this.#rows.get(iri);
    if (kind === 'deleted') {
      this.#rows.delete(iri);
      fadeAway(known).then(() => known.remove());
      return;
    }
    const row = known ?? element('li', { className: 'reader-row' });
    row.replaceChildren(...(name === 'orders' ? this.#orderParts(iri, after) : [element('span', { textContent: after.text })]));
    row.classList.toggle('for-staff', after.audience === 'staff');
    if (!known) list.prepend(row);
    this.#rows.set(iri, row);
    if (this.#live) flash(row, 'value');
  }

  #orderParts(iri, order) {
    const title = this.#titleOf(order.bookId) ?? `book ${order.bookId}`;
    const cancel = element('button', { className: 'link', type: 'button', textContent: 'Cancel', ariaLabel: `Cancel the order of ${title}` });
    cancel.addEventListener('click', () => this.#try(() => this.#cancel(iri)));
    return [element('span', { className: 'reader-book', textContent: title }), element('span', { className: 'reader-status', textContent: order.status }), cancel];
  }
}

function suggest(section) {
  const database = document.querySelector('meta[name="petasos-database"]').content;
  const line = section.querySelector('.reader-try');
  line.hidden = database === '';
  line.querySelector('code').textContent = `sqlite3 ${database} "UPDATE orders SET status = 'on its way' WHERE customer = 'ann'"`;
}

const TOKENS = '/.well-known/mercure-token';
const READERS = [
  { id: 'ann', name: 'Ann', role: 'a reader' },
  { id: 'bob', name: 'Bob', role: 'on the staff' },
];
const WORDS = { connecting: 'Connecting', open: 'Live', reconnecting: 'Reconnecting', offline: 'Offline' };
