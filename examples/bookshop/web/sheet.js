/** The dialog with one book: its facts and reviews, kept live while it is open, and the form to edit or add one. */
import * as api from './api.js';
import { drawCover, titleSize } from './cover.js';
import { element, fill, fromTemplate } from './dom.js';
import { BOOK_FIELDS, bookView, REVIEW_FIELDS, reviewOf, SHOWN_BY } from './fields.js';
import { Form } from './form.js';
import { stars } from './format.js';
import { flash } from './motion.js';

export class Sheet {
  #dialog = document.querySelector('#sheet');
  #books;
  #reviews;
  #reviewsOf;
  #onClose;
  #iri = null;
  #form = null;
  #added = null;

  /** `onClose(iri)` gets the book that has just been added, or null. */
  constructor({ books, reviews, reviewsOf, onClose }) {
    this.#books = books;
    this.#reviews = reviews;
    this.#reviewsOf = reviewsOf;
    this.#onClose = onClose;
    this.#dialog.addEventListener('click', (event) => this.#click(event));
    this.#dialog.addEventListener('close', () => this.#closed());
  }

  /** The `@id` of the book on show, or null. */
  get iri() {
    return this.#iri;
  }

  close() {
    this.#dialog.close();
  }

  show(iri) {
    const book = this.#books.get(iri);
    this.#iri = iri;
    this.#form = null;
    const content = fromTemplate('sheet-template');
    drawCover(content.querySelector('.cover'), iri);
    const link = content.querySelector('[data-iri]');
    Object.assign(link, { href: iri, textContent: iri });
    this.#write(content, book);
    this.#fillReviews(content, iri);
    content.querySelector('.review-form').append(this.#reviewForm(book).element);
    this.#open(content);
  }

  edit(iri) {
    const book = this.#books.get(iri);
    this.#iri = iri;
    const save = async (values) => {
      if (Object.keys(values).length > 0) this.#books.put(await api.change(iri, values));
      this.show(iri);
    };
    this.#showForm(`Edit ${book.title}`, { fields: BOOK_FIELDS, original: book, submit: 'Save', save, cancel: () => this.show(iri) });
  }

  add() {
    this.#iri = null;
    const save = async (values) => {
      const book = await api.create(this.#books.path, values);
      this.#books.put(book);
      this.#added = book['@id'];
      this.close();
    };
    this.#showForm('Add a book', { fields: BOOK_FIELDS, submit: 'Add to the shelf', save, cancel: () => this.close() });
  }

  bookChanged({ kind, iri, after, fields }) {
    if (iri !== this.#iri || !this.#dialog.open) return;
    if (kind === 'deleted') return this.#gone();
    if (this.#form) return this.#form.follow(after);
    this.#write(this.#dialog, after);
    this.#flashValues(fields.flatMap((field) => SHOWN_BY[field] ?? []));
  }

  reviewChanged({ kind, iri }, book) {
    if (book !== this.#iri || this.#form || !this.#dialog.open) return;
    this.#fillReviews(this.#dialog, book);
    fill(this.#dialog, this.#view(this.#books.get(book)));
    this.#flashValues(['rating']);
    const shown = this.#dialog.querySelector(`.review[data-iri="${CSS.escape(iri)}"]`);
    if (shown) flash(shown, kind);
  }

  #showForm(title, options) {
    const content = fromTemplate('form-template');
    content.querySelector('h2').textContent = title;
    this.#form = new Form(options);
    content.querySelector('.form-place').append(this.#form.element);
    this.#open(content);
    this.#form.focus();
  }

  #open(content) {
    this.#dialog.replaceChildren(content);
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#dialog.scrollTop = 0;
    content.querySelector('#sheet-title').focus({ preventScroll: true });
  }

  #closed() {
    this.#iri = null;
    this.#form = null;
    this.#dialog.replaceChildren();
    this.#onClose(this.#added);
    this.#added = null;
  }

  #view(book) {
    return bookView(book, this.#reviewsOf(book['@id']));
  }

  #write(root, book) {
    const view = this.#view(book);
    fill(root, view);
    root.querySelector('.cover').style.setProperty('--cover-size', `${titleSize(view.title)}cqi`);
  }

  #flashValues(values) {
    for (const value of values) for (const place of this.#dialog.querySelectorAll(`[data-value="${value}"]`)) flash(place, 'value');
  }

  #fillReviews(root, iri) {
    const reviews = this.#reviewsOf(iri).toSorted((a, b) => b.id - a.id);
    root.querySelector('.review-list').replaceChildren(...reviews.map(reviewItem));
    root.querySelector('.reviews-count').textContent = reviews.length > 0 ? String(reviews.length) : '';
    root.querySelector('.review-none').hidden = reviews.length > 0;
  }

  #reviewForm(book) {
    const form = new Form({
      fields: REVIEW_FIELDS,
      submit: 'Publish the review',
      save: async (values) => {
        this.#reviews.put(await api.create(this.#reviews.path, reviewOf(book['@id'], book, values)));
        form.reset();
      },
    });
    return form;
  }

  #gone() {
    this.#dialog.querySelector('.sheet-gone').hidden = false;
    for (const part of this.#dialog.querySelectorAll('.actions, .review-form, form')) part.remove();
    this.#dialog.querySelector('.sheet-close').focus();
  }

  #click(event) {
    if (event.target === this.#dialog && !this.#form) return this.close();
    const action = event.target.closest('[data-action]')?.dataset.action;
    if (action === 'close') this.close();
    else if (action === 'edit') this.edit(this.#iri);
    else if (action === 'delete') this.#confirm(true);
    else if (action === 'keep') this.#confirm(false);
    else if (action === 'really-delete') this.#delete(this.#iri);
  }

  #confirm(asking) {
    this.#part('actions').hidden = asking;
    this.#part('confirm').hidden = !asking;
    this.#part(asking ? 'confirm' : 'actions').querySelector(asking ? '[data-action="keep"]' : '[data-action="delete"]').focus();
  }

  async #delete(iri) {
    try {
      await api.remove(iri);
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      if (error.status !== 404) return this.#complain(error.message);
    }
    this.close();
    this.#books.delete(iri);
  }

  #complain(message) {
    const place = this.#part('error');
    if (!place) return;
    place.textContent = message;
    place.hidden = false;
    this.#confirm(false);
  }

  #part(name) {
    return this.#dialog.querySelector(`[data-part="${name}"]`);
  }
}

function reviewItem(review) {
  const rating = Number.isFinite(review.rating) ? review.rating : 0;
  const item = element('li', { className: 'review' },
    element('p', { className: 'review-head' },
      element('strong', { textContent: review.author ?? '' }), ' ',
      element('span', { className: 'review-stars', ariaHidden: 'true', textContent: stars(rating) }),
      element('span', { className: 'visually-hidden', textContent: `${rating} out of 5` })),
    element('p', { textContent: review.body ?? '' }));
  item.dataset.iri = review['@id'];
  return item;
}
