/**
 * The bookshop's page: loads the books and their reviews, then follows every change of them.
 *
 * From `/` it follows the API's links to the collections, from their `Link` header to the hub.
 */
import { announce } from './announce.js';
import * as api from './api.js';
import { bookOf, labelOf } from './fields.js';
import { tell } from './feed.js';
import { price, stars } from './format.js';
import { connect } from './live/live.js';
import { flash, scrollBehavior } from './motion.js';
import { showReaders } from './readers.js';
import { Sheet } from './sheet.js';
import { Shelf, showSkeletons } from './shelf.js';
import { showState } from './status.js';
import { Store } from './store.js';
import { prepare, suggest } from './try.js';

const find = (selector) => document.querySelector(selector);

async function start() {
  find('#error').hidden = true;
  showSkeletons();
  try {
    const paths = await api.entrypoint();
    // In this order: what happens after the first answer is replayed from its cursor.
    const books = await api.collection(paths.book);
    const reviews = await api.collection(paths.review);
    const shop = new Bookshop(paths, books, reviews);
    showReaders(paths, shop);
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    find('#cards').replaceChildren();
    find('#cards').ariaBusy = 'false';
    find('#error-text').textContent = error.message;
    find('#error').hidden = false;
    showState('offline');
  }
}

class Bookshop {
  #books;
  #reviews;
  #shelf;
  #sheet;
  #live = null;
  #reviewsByBook = null;
  #ordered = 0;
  /** Messages that arrive while the collections are fetched again; null otherwise. */
  #held = null;
  #missedAgain = false;
  /** Changes found by catching up, which are told as a number if they are many. */
  #found = null;

  constructor(paths, books, reviews) {
    this.#books = new Store(paths.book);
    this.#reviews = new Store(paths.review);
    this.#books.replace(books.members);
    this.#reviews.replace(reviews.members);
    const reviewsOf = (iri) => this.#reviewsOf(iri);
    this.#shelf = new Shelf({ books: this.#books, reviewsOf, onEdit: (iri) => this.#edit(iri) });
    this.#sheet = new Sheet({ books: this.#books, reviews: this.#reviews, reviewsOf, onClose: (added) => this.#sheetClosed(added) });
    this.#shelf.show();
    this.#suggest();
    this.#books.addEventListener('change', ({ detail }) => this.#bookChanged(detail));
    this.#reviews.addEventListener('change', ({ detail }) => this.#reviewChanged(detail));
    this.#listenToThePage();
    this.#goLive(books.live);
    this.#follow(location.hash);
  }

  /** The title of a book by its number, as orders name it. */
  titleOf = (id) => this.#books.values().find((book) => book.id === id)?.title;

  /** The number of a book to order: each in turn. */
  nextBook = () => {
    const ids = this.#books.values().map((book) => book.id).sort((a, b) => a - b);
    return ids[this.#ordered++ % ids.length];
  };

  #listenToThePage() {
    find('#sort').addEventListener('change', (event) => this.#shelf.sortBy(event.target.value));
    find('#add').addEventListener('click', () => this.#sheet.add());
    find('#add-first').addEventListener('click', () => this.#sheet.add());
    find('#toast-button').addEventListener('click', () => this.#live?.retry());
    addEventListener('hashchange', () => this.#follow(location.hash));
  }

  #goLive(announced) {
    if (announced === null) return showState('none');
    const { hub, cursor, base } = announced;
    const patterns = [this.#books, this.#reviews].map(({ path }) => `${patternOf(base)}${path}/:id`);
    this.#live = connect({ hub, matchers: { urlpattern: patterns }, cursor, ...sharing() });
    this.#live.addEventListener('message', ({ detail }) => this.#receive(detail));
    this.#live.addEventListener('gap', () => this.#catchUp());
    const show = () => showState(this.#live.state, this.#live.tabs, this.#live.sharing);
    this.#live.addEventListener('state', show);
    this.#live.addEventListener('tabs', show);
    show();
  }

  #receive(message) {
    if (this.#held) this.#held.push(message);
    else this.#apply(message);
  }

  /** A document with nothing but its `@id` says that the item is gone. */
  #apply({ data }) {
    const document = parse(data);
    const iri = document?.['@id'];
    if (typeof iri !== 'string') return;
    const store = [this.#books, this.#reviews].find((candidate) => candidate.owns(iri));
    if (Object.keys(document).length === 1) store?.delete(iri);
    else store?.put(document);
  }

  /** The stream cannot say what was missed: fetch everything, then apply what came meanwhile. */
  async #catchUp() {
    this.#missedAgain = true;
    if (this.#held) return;
    this.#held = [];
    try {
      while (this.#missedAgain) {
        this.#missedAgain = false;
        const books = await api.collection(this.#books.path);
        const reviews = await api.collection(this.#reviews.path);
        this.#replace(books.members, reviews.members);
      }
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      setTimeout(() => this.#catchUp(), PATIENCE);
    } finally {
      const held = this.#held;
      this.#held = null;
      for (const message of held) this.#apply(message);
    }
  }

  #replace(books, reviews) {
    this.#found = [];
    this.#books.replace(books);
    this.#reviews.replace(reviews);
    const found = this.#found;
    this.#found = null;
    if (found.length <= 5) for (const news of found) this.#tell(news);
    else this.#tell({ icon: 'wing', text: ['Caught up with ', `${found.length} changes`, ''] });
  }

  #bookChanged(change) {
    this.#shelf.apply(change);
    this.#sheet.bookChanged(change);
    this.#suggest();
    this.#tell(newsOfBook(change));
  }

  #reviewChanged(change) {
    this.#reviewsByBook = null;
    const iri = bookOf(change.after ?? change.before, this.#books.path);
    const book = this.#books.get(iri);
    // The reviews of a deleted book go with it; that is no news.
    if (!book) return;
    this.#shelf.rated(iri);
    this.#sheet.reviewChanged(change, iri);
    this.#tell(newsOfReview(change, book));
  }

  #tell(news) {
    if (this.#found) return this.#found.push(news);
    tell(news);
    announce(`${news.text.join('')}${news.extra ? `: ${news.extra}` : ''}.`);
  }

  #reviewsOf(iri) {
    this.#reviewsByBook ??= Map.groupBy(this.#reviews.values(), (review) => bookOf(review, this.#books.path));
    return this.#reviewsByBook.get(iri) ?? [];
  }

  #suggest() {
    suggest(this.#books.values().sort((a, b) => a.id - b.id)[0] ?? null, this.#books.path);
  }

  /** `#/books/1` opens that book, so that an address can be shared. */
  #follow(hash) {
    const iri = hash.slice(1);
    if (iri === (this.#sheet.iri ?? '')) return;
    if (this.#books.get(iri)) this.#sheet.show(iri);
    else this.#sheet.close();
  }

  #edit(iri) {
    this.#sheet.edit(iri);
    history.pushState(null, '', `#${iri}`);
  }

  #sheetClosed(added) {
    if (location.hash) history.replaceState(null, '', location.pathname + location.search);
    const card = added && this.#shelf.card(added);
    if (!card) return;
    card.scrollIntoView({ block: 'center', behavior: scrollBehavior() });
    card.querySelector('a').focus({ preventScroll: true });
    flash(card, 'created');
  }
}

function newsOfBook({ kind, iri, before, after, fields }) {
  if (kind === 'created') return { icon: 'plus', text: ['', after.title, ' arrived'], extra: after.author ?? '', iri };
  if (kind === 'deleted') return { icon: 'minus', text: ['', before.title, ' left the shelf'] };
  return { icon: 'pencil', text: ['', after.title, ' changed'], extra: difference(before, after, fields), iri };
}

function difference(before, after, fields) {
  if (fields.length > 1) return fields.map(labelOf).join(', ');
  const [field] = fields;
  if (field === 'priceCents') return `${price(before[field]) || 'no price'} \u2192 ${price(after[field]) || 'no price'}`;
  if (field === 'title') return `was ${before.title}`;
  return labelOf(field);
}

function newsOfReview({ kind, after }, book) {
  const iri = book['@id'];
  if (kind === 'deleted') return { icon: 'star', text: ['A review of ', book.title, ' was withdrawn'], iri };
  const verb = kind === 'created' ? 'reviewed' : 'changed the review of';
  return { icon: 'star', text: [`${after.author} ${verb} `, book.title, ''], extra: stars(after.rating), iri };
}

/** In a URL pattern the colons of an IPv6 address would be names of groups. */
function patternOf(origin) {
  return origin.replace(/\[.*\]/, (address) => address.replaceAll(':', '\\:'));
}

/** `?sharing=leader` or `?sharing=alone` tries the ways of browsers without SharedWorker. */
function sharing() {
  const wanted = new URLSearchParams(location.search).get('sharing');
  return ['leader', 'alone'].includes(wanted) ? { sharing: wanted === 'leader' ? ['leader', 'alone'] : ['alone'] } : {};
}

function parse(json) {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

const PATIENCE = 3_000;

prepare();
find('#retry').addEventListener('click', start);
start();
