/** The list of what has just happened, the newest first, with times that keep up. */
import { element, fromTemplate } from './dom.js';
import { since } from './format.js';

const list = document.querySelector('#feed');

/** `text` is a sentence around the name of the book: `['', 'Dune', ' left the shelf']`. */
export function tell({ icon, text: [before, name, after], iri, extra = '' }) {
  list.querySelector('.feed-empty')?.remove();
  const item = fromTemplate('feed-template');
  item.dataset.kind = icon;
  item.querySelector('use').setAttribute('href', `#icon-${icon}`);
  const subject = iri ? element('a', { href: `#${iri}`, textContent: name }) : element('strong', { textContent: name });
  item.querySelector('.feed-text').append(before, subject, after, ...(extra ? [element('span', { className: 'feed-extra', textContent: extra })] : []));
  const time = item.querySelector('time');
  time.dateTime = new Date().toISOString();
  time.textContent = since(0, 0);
  list.prepend(item);
  while (list.children.length > LONGEST) list.lastElementChild.remove();
}

function keepTime() {
  const now = Date.now();
  for (const time of list.querySelectorAll('time')) time.textContent = since(Date.parse(time.dateTime), now);
}

const LONGEST = 40;
setInterval(keepTime, 10_000);
