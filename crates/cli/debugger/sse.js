/**
 * An incremental decoder of `text/event-stream`, as the HTML standard defines it, that also tells of what `EventSource`
 * hides: comments (heartbeats) and the reconnection time.
 */
export class Decoder {
  #utf8 = new TextDecoder();
  #line = '';
  #afterReturn = false;
  #id = '';
  #type = '';
  #data = [];

  /** Takes the next bytes; what they complete: `{event: {id, type, data}}`, `{comment}` or `{retry}`. */
  feed(bytes) {
    const text = this.#utf8.decode(bytes, { stream: true });
    if (text === '') return [];
    // The LF of a CRLF that two chunks share belongs to the line already taken.
    const rest = this.#afterReturn && text.startsWith('\n') ? text.slice(1) : text;
    this.#afterReturn = text.endsWith('\r');
    const lines = (this.#line + rest).split(/\r\n|\r|\n/);
    this.#line = lines.pop();
    return lines.map((line) => this.#take(line)).filter((item) => item !== null);
  }

  #take(line) {
    if (line === '') return this.#dispatch();
    if (line.startsWith(':')) return { comment: line.slice(1).trim() };
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (name === 'data') this.#data.push(value);
    if (name === 'event') this.#type = value;
    if (name === 'id' && !value.includes('\0')) this.#id = value;
    return name === 'retry' && /^\d+$/.test(value) ? { retry: Number(value) } : null;
  }

  #dispatch() {
    const [data, type] = [this.#data, this.#type || 'message'];
    this.#data = [];
    this.#type = '';
    return data.length === 0 ? null : { event: { id: this.#id, type, data: data.join('\n') } };
  }
}
