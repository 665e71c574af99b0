/** What a book and a review are made of: the one place that knows their members. */
import { average, longDate, price, year } from './format.js';

export const BOOK_FIELDS = [
  { name: 'title', label: 'Title', required: true },
  { name: 'author', label: 'Author', required: true },
  { name: 'publicationDate', label: 'Published', type: 'date', half: true },
  {
    name: 'priceCents', label: 'Price in \u20ac', half: true, inputMode: 'decimal', placeholder: '12.50',
    show: (cents) => (typeof cents === 'number' ? (cents / 100).toFixed(2) : ''), read: readPrice,
  },
  { name: 'isbn', label: 'ISBN', inputMode: 'numeric', placeholder: '978...' },
  { name: 'description', label: 'Description', type: 'textarea' },
];

export const REVIEW_FIELDS = [
  { name: 'author', label: 'Your name', required: true, autocomplete: 'nickname' },
  { name: 'rating', label: 'Rating', type: 'rating', required: true, read: (text) => (text === '' ? undefined : Number(text)) },
  { name: 'body', label: 'What did you think?', type: 'textarea', required: true },
];

/** How a member is called in a sentence. */
export function labelOf(name) {
  return { publicationDate: 'date', priceCents: 'price', isbn: 'ISBN' }[name] ?? name;
}

/** Everything that the page shows of a book, as text; `rating` is `{average, count}`. */
export function bookView(book, reviews) {
  return {
    title: book.title ?? 'Untitled',
    author: book.author ?? '',
    year: year(book.publicationDate),
    date: longDate(book.publicationDate) || 'unknown',
    isbn: book.isbn || 'none',
    description: book.description ?? '',
    price: price(book.priceCents),
    rating: average(reviews),
  };
}

/** Which values of the view follow from which member of the document. */
export const SHOWN_BY = {
  title: ['title'], author: ['author'], publicationDate: ['year', 'date'], priceCents: ['price'], isbn: ['isbn'], description: ['description'],
};

/** The `@id` of the book that a review is about. */
export function bookOf(review, books) {
  const { book } = review;
  return book?.['@id'] ?? book ?? `${books}/${review.bookId}`;
}

export function reviewOf(iri, book, values) {
  return { bookId: book.id, ...values };
}

function readPrice(text) {
  const plain = text.trim().replace(',', '.');
  if (plain === '') return null;
  if (!/^\d{1,6}(\.\d{1,2})?$/.test(plain)) throw new Error('Write the price like 12.50.');
  return Math.round(Number(plain) * 100);
}
