/** Movement with a purpose: what came, what changed, what left. None for those who asked for none. */
const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** Changes the order or number of elements and lets them glide from their old places to the new ones. */
export function glide(elements, change) {
  if (calm.matches) return change();
  const before = new Map(elements().map((element) => [element, element.getBoundingClientRect()]));
  change();
  for (const element of elements()) {
    const from = before.get(element);
    const to = element.getBoundingClientRect();
    const [x, y] = from ? [from.left - to.left, from.top - to.top] : [0, 0];
    if (x === 0 && y === 0) continue;
    element.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: 'none' }], { duration: 420, easing: EASE });
  }
}

/** Resolves when the element has faded away; the caller removes it. */
export function fadeAway(element) {
  if (calm.matches) return Promise.resolve();
  const frames = [{}, { opacity: 0, transform: 'scale(.86) rotate(-2deg)', filter: 'saturate(0)' }];
  return element.animate(frames, { duration: 380, easing: 'ease-in', fill: 'forwards' }).finished;
}

/** Marks an element for a moment with `data-flash`; the style sheet knows what that looks like. */
export function flash(element, kind) {
  clearTimeout(timers.get(element));
  element.removeAttribute('data-flash');
  void element.offsetWidth; // restarts the animation if one is running
  element.dataset.flash = kind;
  timers.set(element, setTimeout(() => element.removeAttribute('data-flash'), 2600));
}

export function scrollBehavior() {
  return calm.matches ? 'instant' : 'smooth';
}

const timers = new WeakMap();
const EASE = 'cubic-bezier(.2, .8, .2, 1)';
