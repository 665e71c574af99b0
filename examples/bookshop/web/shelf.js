/** The grid of books: keeps one card for each, in order, and moves them as they come, change and leave. */
import { drawCover, titleSize } from './cover.js';
import { element, fill, fromTemplate } from './dom.js';
import { bookView, SHOWN_BY } from './fields.js';
import { plural } from './format.js';
import { fadeAway, flash, glide } from './motion.js';

export class Shelf {
  #books;
  #reviewsOf;
  #cards = new Map();
  #order = 'shelf';
  #list = document.querySelector('#cards');
  #empty = document.querySelector('#empty');
  #count = document.querySelector('#count');

  constructor({ books, reviewsOf, onEdit }) {
    this.#books = books;
    this.#reviewsOf = reviewsOf;
    this.#list.addEventListener('click', (event) => {
      const button = event.target.closest('[data-action="edit"]');
      if (button) onEdit(button.closest('.card').dataset.iri);
    });
  }

  /** The first time: every book at once, without any movement. */
  show() {
    this.#list.replaceChildren();
    for (const book of this.#books.values()) this.#cards.set(book['@id'], this.#make(book));
    this.#list.append(...this.#sorted());
    this.#list.ariaBusy = 'false';
    this.#tally();
  }

  sortBy(order) {
    this.#order = order;
    this.#arrange();
  }

  card(iri) {
    return this.#cards.get(iri);
  }

  apply({ kind, iri, after, fields }) {
    if (kind === 'deleted') return this.#leave(iri);
    if (kind === 'created') {
      const card = this.#make(after);
      this.#cards.set(iri, card);
      this.#arrange();
      flash(card, 'created');
    } else {
      this.#update(iri, fields.flatMap((field) => SHOWN_BY[field] ?? []));
      this.#arrange();
    }
    this.#tally();
  }

  /** A review of this book came, changed or left. */
  rated(iri) {
    if (!this.#cards.has(iri)) return;
    this.#update(iri, ['rating']);
    if (this.#order === 'rating') this.#arrange();
  }

  #make(book) {
    const card = fromTemplate('card-template');
    const link = card.querySelector('.card-title a');
    card.dataset.iri = book['@id'];
    link.href = `#${book['@id']}`;
    drawCover(card.querySelector('.cover'), book['@id']);
    this.#write(card, book);
    return card;
  }

  #write(card, book) {
    const view = bookView(book, this.#reviewsOf(book['@id']));
    fill(card, view);
    card.querySelector('.cover').style.setProperty('--cover-size', `${titleSize(view.title)}cqi`);
  }

  #update(iri, values) {
    const card = this.#cards.get(iri);
    this.#write(card, this.#books.get(iri));
    flash(card, 'changed');
    for (const value of values) for (const place of card.querySelectorAll(`[data-value="${value}"]`)) flash(place, 'value');
  }

  async #leave(iri) {
    const card = this.#cards.get(iri);
    this.#cards.delete(iri);
    this.#tally();
    card.inert = true;
    await fadeAway(card);
    glide(() => [...this.#cards.values()], () => card.remove());
  }

  #arrange() {
    const sorted = this.#sorted();
    const shown = [...this.#list.children].filter((card) => !card.inert);
    if (sorted.length === shown.length && sorted.every((card, index) => card === shown[index])) return;
    glide(() => sorted, () => this.#list.append(...sorted));
  }

  #sorted() {
    const key = ORDERS[this.#order];
    return this.#books.values()
      .map((book) => ({ card: this.#cards.get(book['@id']), rank: key(book, () => bookView(book, this.#reviewsOf(book['@id']))), id: book.id }))
      .filter(({ card }) => card)
      .sort((a, b) => compare(a.rank, b.rank) || compare(a.id, b.id))
      .map(({ card }) => card);
  }

  #tally() {
    this.#count.textContent = plural(this.#cards.size, 'book');
    this.#empty.hidden = this.#cards.size > 0;
  }
}

/** Grey cards of the size of real ones, so that nothing jumps when those arrive. */
export function showSkeletons() {
  const cards = Array.from({ length: 12 }, () => fromTemplate('skeleton-template'));
  const list = document.querySelector('#cards');
  list.ariaBusy = 'true';
  list.replaceChildren(...cards, element('li', { className: 'visually-hidden', textContent: 'Loading the books' }));
}

const ORDERS = {
  shelf: (book) => book.id,
  title: (book) => book.title ?? '',
  author: (book) => (book.author ?? '').split(' ').at(-1),
  year: (book) => book.publicationDate ?? '9999',
  rating: (_, view) => -(view().rating.average ?? 0),
};

function compare(a, b) {
  if (typeof a === 'string' && typeof b === 'string') return a.localeCompare(b, 'en');
  return a < b ? -1 : Number(a > b);
}
