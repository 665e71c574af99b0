/** Tells screen readers what changed, politely: one sentence at a time, many changes as a number. */
const region = document.querySelector('#announcer');
let waiting = [];
let timer = null;

export function announce(sentence) {
  waiting.push(sentence);
  timer ??= setTimeout(speak, PAUSE);
}

function speak() {
  region.textContent = waiting.length > 3 ? `${waiting.length} changes. The last one: ${waiting.at(-1)}` : waiting.join(' ');
  waiting = [];
  timer = null;
}

const PAUSE = 700;
