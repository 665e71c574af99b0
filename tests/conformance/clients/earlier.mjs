// Listens with the package `eventsource` as it was before its version 3, and prints what it hears, one JSON document a line;
// ends after so many events.
import EventSource from 'eventsource-2';

const [url, token, count] = process.argv.slice(2);
let heard = 0;
const source = new EventSource(url, { headers: { Authorization: `Bearer ${token}` } });
source.onopen = () => console.log('open');
source.onmessage = ({ lastEventId, data }) => {
  console.log(JSON.stringify({ id: lastEventId, data }));
  heard += 1;
  if (heard === Number(count)) {
    source.close();
  }
};
