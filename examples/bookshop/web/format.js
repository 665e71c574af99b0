/** How values are written on the page. */
export function price(cents) {
  return typeof cents === 'number' ? MONEY.format(cents / 100) : '';
}

/** Years before the common era and beyond 9999 do not occur in a bookshop. */
export function year(date) {
  return typeof date === 'string' ? date.slice(0, 4) : '';
}

export function longDate(date) {
  const parsed = new Date(`${date}T00:00:00Z`);
  return Number.isNaN(parsed.getTime()) ? (date ?? '') : DATE.format(parsed);
}

export function since(time, now) {
  const seconds = Math.round((now - time) / 1000);
  if (seconds < 10) return 'just now';
  if (seconds < 60) return RELATIVE.format(-seconds, 'second');
  if (seconds < 3600) return RELATIVE.format(-Math.floor(seconds / 60), 'minute');
  return RELATIVE.format(-Math.floor(seconds / 3600), 'hour');
}

export function stars(rating) {
  const full = Math.max(0, Math.min(5, Math.round(rating)));
  return '\u2605'.repeat(full) + '\u2606'.repeat(5 - full);
}

/** `{average, count}` of some reviews; the average is null without any. */
export function average(reviews) {
  const ratings = reviews.map(({ rating }) => rating).filter(Number.isFinite);
  const sum = ratings.reduce((total, rating) => total + rating, 0);
  return { count: ratings.length, average: ratings.length === 0 ? null : sum / ratings.length };
}

export function plural(count, word) {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

const MONEY = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' });
const DATE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' });
const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'always', style: 'short' });
