// Listens with the package `eventsource` and prints what it hears, one JSON document a line; ends after so many events.
import { EventSource } from 'eventsource';

const [url, token, count] = process.argv.slice(2);
let heard = 0;
const source = new EventSource(url, {
  fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } }),
});
source.addEventListener('open', () => console.log('open'));
source.addEventListener('note', ({ type, lastEventId, data }) => {
  console.log(JSON.stringify({ type, id: lastEventId, data }));
  heard += 1;
  if (heard === Number(count)) {
    source.close();
  }
});
