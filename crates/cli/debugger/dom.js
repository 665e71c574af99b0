/** The few things that this page does to its document. */

export const find = (id) => document.getElementById(id);

/** Makes an element; properties whose names begin with `on` are listeners, `data` is the data set. */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'data') Object.assign(element.dataset, value);
    else if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** One of the icons that the page holds. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A time of day to the millisecond. */
export function clock(date = new Date()) {
  const time = date.toLocaleTimeString(undefined, { hour12: false });
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** Tells those who do not see the page; what comes quickly is told once. */
export function announce(text) {
  clearTimeout(announcement);
  announcement = setTimeout(() => { find('announcer').textContent = text; }, 400);
}

/** Copies a text and says so on the button. */
export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.dataset.copied = 'Copied';
    announce('Copied');
  } catch {
    button.dataset.copied = 'Not allowed';
    announce('The browser does not allow to copy');
  }
  setTimeout(() => { delete button.dataset.copied; }, 1_500);
}

let announcement;
const SVG = 'http://www.w3.org/2000/svg';
