/** The lines to run in a terminal; they follow the first book, so that each run changes something. */
const database = document.querySelector('meta[name="petasos-database"]').content;
const curl = document.querySelector('#try-curl');
const sql = document.querySelector('#try-sql');

export function suggest(book, collection) {
  const [request, statement] = book ? changing(book) : adding(collection);
  curl.textContent = request.join(' \\\n  ');
  sql.textContent = `sqlite3 ${/^[\w./-]+$/.test(database) ? database : quote(database)} \\\n  "${statement.join('\n   ')}"`;
}

function changing(book) {
  const title = book.title.endsWith(MARK) ? book.title.slice(0, -MARK.length) : book.title + MARK;
  const address = new URL(book['@id'], location.href);
  return [
    [`curl -X PATCH ${address}`, "-H 'Content-Type: application/merge-patch+json'", `-d ${quote(JSON.stringify({ title }))}`],
    ['UPDATE book SET price_cents = price_cents + 50', `WHERE id = ${Number(book.id)}`],
  ];
}

function adding(collection) {
  const book = { title: 'Kindred', author: 'Octavia E. Butler' };
  return [
    [`curl ${new URL(collection, location.href)}`, "-H 'Content-Type: application/ld+json'", `-d ${quote(JSON.stringify(book))}`],
    ['INSERT INTO book (title, author)', "VALUES ('Kindred', 'Octavia E. Butler')"],
  ];
}

export function prepare() {
  document.querySelector('#try-sql-line').hidden = database === '';
  for (const button of document.querySelectorAll('[data-copy]')) {
    button.addEventListener('click', () => copy(button, document.querySelector(`#${button.dataset.copy}`)));
  }
}

async function copy(button, code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = 'Copied';
  } catch {
    // The clipboard needs a secure context and a permission; a selection needs neither.
    getSelection().selectAllChildren(code);
    button.textContent = 'Selected';
  }
  setTimeout(() => (button.textContent = 'Copy'), 1600);
}

function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const MARK = ', by curl';
