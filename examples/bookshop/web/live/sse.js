/**
 * An incremental decoder of `text/event-stream`, as the HTML standard defines it.
 *
 * `EventSource` is not used: it hides the response headers (so nobody learns that
 * the hub's history is gone) and the heartbeat (so a dead connection goes unnoticed).
 */
export class Decoder {
  /** The id that a reconnect has to send. */
  lastEventId = '';
  /** Milliseconds, once the server has sent `retry:`. */
  retry = null;

  #utf8 = new TextDecoder();
  #line = '';
  #afterReturn = false;
  #id = '';
  #type = '';
  #data = null;

  /** Takes the next bytes and returns the events that they complete. */
  feed(bytes) {
    const text = this.#utf8.decode(bytes, { stream: true });
    if (text === '') return [];
    // A CRLF may be split between two chunks: its LF belongs to the line already taken.
    const rest = this.#afterReturn && text.startsWith('\n') ? text.slice(1) : text;
    this.#afterReturn = text.endsWith('\r');
    const lines = (this.#line + rest).split(/\r\n|\r|\n/);
    this.#line = lines.pop();
    return lines.map((line) => this.#take(line)).filter(Boolean);
  }

  #take(line) {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return null;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data = this.#data === null ? value : `${this.#data}\n${value}`;
    else if (name === 'event') this.#type = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
    return null;
  }

  #dispatch() {
    const data = this.#data;
    const type = this.#type || 'message';
    this.lastEventId = this.#id;
    this.#data = null;
    this.#type = '';
    return data === null ? null : { id: this.#id, type, data };
  }
}
