// The debugger's decoder of event streams, however the bytes are cut.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Decoder } from '../debugger/sse.js';

const encode = (text) => new TextEncoder().encode(text);

function decode(...chunks) {
  const decoder = new Decoder();
  return chunks.flatMap((chunk) => decoder.feed(typeof chunk === 'string' ? encode(chunk) : chunk));
}

test('events, comments and the reconnection time are told', () => {
  assert.deepEqual(decode(':\n\nretry: 1500\nid: 1\nevent: book\ndata: a\ndata:b\n\ndata\n\n'), [
    { comment: '' },
    { retry: 1500 },
    { event: { id: '1', type: 'book', data: 'a\nb' } },
    { event: { id: '1', type: 'message', data: '' } },
  ]);
});

test('what does not count is passed over', () => {
  assert.deepEqual(decode('id: 1\nevent: x\n\nretry: 1s\nid: a\0b\nfoo: bar\n\ndata: x\n\n'), [
    { event: { id: '1', type: 'message', data: 'x' } },
  ]);
});

test('every place to cut gives the same', () => {
  const bytes = encode('id: 1\r\ndata: \u00e9\u{1f3a9}\r\rdata: z\n\n:beat\r\n');
  const whole = decode(bytes);
  assert.equal(whole.length, 3);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    assert.deepEqual(decode(bytes.slice(0, cut), bytes.slice(cut)), whole, `cut at ${cut}`);
  }
});
