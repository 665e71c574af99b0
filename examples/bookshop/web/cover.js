/**
 * Draws a cover for a book that has none: a palette and a motif, the same on every page.
 * They follow from the number at the end of the book's `@id`, so that neighbours on the shelf differ.
 */
export function drawCover(cover, iri) {
  const seed = seedOf(iri);
  const [paper, ink, light, deep] = PALETTES[(seed * 7 + Math.floor(seed / 12)) % PALETTES.length];
  const motif = MOTIFS[seed % MOTIFS.length];
  cover.style.setProperty('--cover-paper', paper);
  cover.style.setProperty('--cover-ink', ink);
  const shapes = motif({ paper, ink, light, deep, random: random(seed + 1) });
  // Only numbers and the colours below go into this markup.
  cover.querySelector('.cover-art').innerHTML =
    `<svg viewBox="0 0 200 300" preserveAspectRatio="xMidYMax slice" focusable="false">${shapes}</svg>`;
}

/** The size of a title, in hundredths of the cover's width: the largest that leaves the motif free. */
export function titleSize(title) {
  const words = title.split(/\s+|(?<=-)/).filter(Boolean);
  for (let size = LARGEST; size > SMALLEST; size -= 0.5) {
    const lines = linesOf(words, WIDTH / (size * LETTER));
    if (lines * size * 1.1 <= HEIGHT) return size;
  }
  return SMALLEST;
}

/** How many lines of so many letters the words take; infinitely many if one does not fit. */
function linesOf(words, letters) {
  let [lines, used] = [1, 0];
  for (const { length } of words) {
    if (length > letters) return Infinity;
    if (used > 0 && used + 1 + length > letters) [lines, used] = [lines + 1, length];
    else used += (used > 0 ? 1 : 0) + length;
  }
  return lines;
}

function seedOf(iri) {
  const number = /(\d+)$/.exec(iri);
  if (number) return Math.max(0, Number(number[1]) - 1);
  return [...iri].reduce((hash, character) => (hash * 31 + character.codePointAt(0)) % 9973, 7);
}

/** A small generator of numbers in [0, 1): covers must not change from visit to visit. */
function random(seed) {
  let state = (seed * 2654435761) % 4294967296;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

const range = (count, shape) => Array.from({ length: count }, (_, index) => shape(index)).join('');
const circle = (x, y, r, fill, more = '') => `<circle cx="${x}" cy="${y}" r="${r}" fill="${fill}" ${more}/>`;
const ring = (x, y, r, colour, width = 2) => circle(x, y, r, 'none', `stroke="${colour}" stroke-width="${width}"`);
const path = (d, fill, more = '') => `<path d="${d}" fill="${fill}" ${more}/>`;
const line = (d, colour, width) => path(d, 'none', `stroke="${colour}" stroke-width="${width}" stroke-linecap="round"`);

function dunes({ light, deep, ink }) {
  return (
    circle(142, 168, 30, light) +
    path('M0 232c40-34 76-34 112-8s62 14 88-6v82H0z', deep) +
    path('M0 262c52-30 92-24 128-4s54 10 72-4v46H0z', ink, 'opacity=".55"') +
    path('M0 284c50-20 96-16 200 4v12H0z', ink, 'opacity=".85"')
  );
}

function bolts({ light, deep }) {
  return (
    path('M0 300V206l36-18 30 22 40-34 34 26 60-40v138z', deep) +
    path('M118 146l-36 58h24l-20 62 58-82h-28l22-38z', light)
  );
}

function leaves({ light, deep }) {
  const leaf = (x, y, turn, colour) =>
    path('M0 0c16-18 16-46 0-66-16 20-16 48 0 66z', colour, `transform="translate(${x} ${y}) rotate(${turn})"`);
  return (
    line('M100 300V200', deep, 4) +
    range(3, (i) => leaf(100, 300 - i * 34, 64 - i * 5, i % 2 ? light : deep) + leaf(100, 300 - i * 34, -64 + i * 5, i % 2 ? deep : light)) +
    leaf(100, 208, 0, light)
  );
}

function peaks({ light, deep, ink }) {
  return (
    circle(52, 166, 18, light) +
    path('M-10 300L74 186l40 52 26-34 76 96z', deep) +
    path('M74 186l-24 33 16 10 10-12 12 14 10-13z', light) +
    path('M-10 300l52-44 48 30 50-34 70 48z', ink, 'opacity=".7"') +
    circle(100, 300, 22, light)
  );
}

function phases({ light, deep }) {
  const moon = (x, y, shift) => circle(x, y, 24, light) + (shift === null ? '' : circle(x + shift, y, 24, deep, 'opacity=".92"'));
  return path('M0 150h200v150H0z', deep) + moon(38, 196, 10) + moon(100, 196, null) + moon(162, 196, -10) + line('M24 262h152', light, 2) + line('M52 276h96', light, 2);
}

function arches({ light, deep, ink }) {
  const arch = (x, r, colour) => path(`M${x - r} 300v-${r}a${r} ${r} 0 0 1 ${2 * r} 0v${r}z`, colour);
  return arch(66, 58, deep) + arch(66, 40, light) + arch(66, 22, ink) + arch(158, 42, ink) + arch(158, 27, light) + arch(158, 13, deep);
}

function tiles({ light, deep, ink, random: next }) {
  const colours = [light, deep, ink];
  return range(12, (i) => {
    const [x, y, r] = [(i % 4) * 50, 150 + Math.floor(i / 4) * 50, 50];
    const turn = Math.floor(next() * 4) * 90;
    const back = colours[Math.floor(next() * 3)];
    const front = colours.filter((colour) => colour !== back)[Math.floor(next() * 2)];
    return `<g transform="translate(${x} ${y}) rotate(${turn} 25 25)">${path('M0 0h50.5v50.5H0z', back)}${path(`M0 0h${r}a${r} ${r} 0 0 1-${r} ${r}z`, front)}</g>`;
  });
}

function ripples({ light, deep }) {
  return range(7, (i) => ring(100, 252, 16 + i * 15, i % 2 ? deep : light, 6)) + circle(100, 252, 7, light);
}

function windows({ light, deep, random: next }) {
  const lit = Math.floor(next() * 20);
  return path('M22 146h156v154H22z', deep) + range(20, (i) => {
    const [x, y] = [36 + (i % 5) * 27, 160 + Math.floor(i / 5) * 34];
    return path(`M${x} ${y}h20v24h-20z`, light, i === lit ? '' : 'opacity=".16"');
  });
}

function orbits({ light, deep, ink }) {
  const orbit = (r, tilt) => `<ellipse cx="100" cy="222" rx="${r}" ry="${r * 0.36}" fill="none" stroke="${light}" stroke-width="2" transform="rotate(${tilt} 100 222)"/>`;
  return orbit(92, -18) + orbit(66, -18) + circle(100, 222, 30, deep) + path('M70 222a30 30 0 0 0 60 0z', ink, 'opacity=".35" transform="rotate(-18 100 222)"') + circle(184, 190, 7, light) + circle(43, 250, 5, light) + circle(30, 166, 2, light) + circle(150, 284, 2, light) + circle(172, 256, 2.5, light);
}

function waves({ light, deep, ink }) {
  const wave = (y, colour, opacity) => path(`M-20 ${y}q25-22 50 0t50 0 50 0 50 0 50 0v120H-20z`, colour, `opacity="${opacity}"`);
  return path('M120 214c2-34-10-48-30-54 4 12 2 20-4 28 10-4 16 2 18 26z', ink) + path('M120 214c2-34 14-48 34-54-4 12-2 20 4 28-10-4-16 2-18 26z', ink) + wave(216, light, 1) + wave(240, deep, 1) + wave(266, ink, 0.8);
}

function branch({ light, deep, ink }) {
  const leaf = (x, y, turn) => path('M0 0c7-9 7-24 0-34-7 10-7 25 0 34z', light, `transform="translate(${x} ${y}) rotate(${turn})"`);
  return line('M-6 286c60-20 120-40 212-98', deep, 5) + leaf(40, 270, -34) + leaf(78, 256, 150) + leaf(112, 240, -40) + leaf(150, 220, 140) + leaf(172, 206, -30) +
    path('M84 252c-2-22 12-36 32-36l16-8-4 14c2 20-12 36-30 38l-26 14z', ink) + circle(118, 224, 2, light);
}

const [LARGEST, SMALLEST, WIDTH, HEIGHT] = [21, 9, 82, 45];
/** The mean width of a bold letter, as a part of its size. */
const LETTER = 0.68;

const MOTIFS = [dunes, bolts, leaves, peaks, phases, arches, tiles, ripples, windows, orbits, waves, branch];

/** Paper, ink (the text: at least 4.5 to 1 on the paper), a light and a deep colour. */
const PALETTES = [
  ['#e9b872', '#43200f', '#fbe6bd', '#b5541c'],
  ['#f3e9d8', '#3a2233', '#d98b5f', '#7a3b52'],
  ['#cfe3d4', '#12352b', '#f4efdc', '#3f7f5f'],
  ['#f2d6cf', '#4a1526', '#fff2e6', '#c1495a'],
  ['#c8dcec', '#14283f', '#f5f9fb', '#3f6d99'],
  ['#1d3a38', '#f6e7c6', '#e8a94f', '#3f7d6e'],
  ['#f6dfa5', '#3b2a10', '#d2603a', '#2f6f73'],
  ['#27233f', '#f3e6f2', '#e8b7a0', '#6a5b9c'],
  ['#e4e0da', '#26262b', '#c23b22', '#6d6a72'],
  ['#182b49', '#f4ecd8', '#f0c75e', '#3c62a8'],
  ['#bfdcdd', '#0f3440', '#f3faf7', '#2f8391'],
  ['#7c2f28', '#fdeedd', '#f0b58a', '#4d1a1c'],
];
