/** Small helpers around elements. Text from the API only ever becomes text nodes. */
export function fromTemplate(id) {
  return document.querySelector(`#${id}`).content.firstElementChild.cloneNode(true);
}

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.classList.add('icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(document.createElementNS(SVG, 'use'));
  svg.firstChild.setAttribute('href', `#icon-${name}`);
  return svg;
}

/** Writes the values of a view into the elements that are marked with their names. */
export function fill(root, view) {
  for (const place of root.querySelectorAll('[data-value]')) {
    const value = view[place.dataset.value];
    if (place.dataset.value === 'rating') fillRating(place, value);
    else if (place.textContent !== value) place.textContent = value;
  }
}

function fillRating(place, { average, count }) {
  const text = count === 0 ? 'No reviews' : `${average.toFixed(1)} out of 5 from ${count}`;
  if (place.dataset.text === text) return;
  place.dataset.text = text;
  place.classList.toggle('none', count === 0);
  if (count === 0) return place.replaceChildren('No reviews');
  place.replaceChildren(
    icon('star'),
    element('span', { ariaHidden: 'true', textContent: `${average.toFixed(1)} (${count})` }),
    element('span', { className: 'visually-hidden', textContent: text }),
  );
}

const SVG = 'http://www.w3.org/2000/svg';
