import assert from 'node:assert/strict';
import test from 'node:test';

import { Decoder } from '../web/live/sse.js';

const BYTES = new TextEncoder().encode(
  ': heartbeat\r\n\r\nid: 1\r\ndata: \u00e91\r\ndata:2\r\n\r\nid:2\ndata\n\nretry: 10\nevent: x\rdata: {"a":1}\r\r\rid: 3\n\ndata: cut',
);
const EVENTS = [
  { id: '1', type: 'message', data: '\u00e91\n2' },
  { id: '2', type: 'message', data: '' },
  { id: '2', type: 'x', data: '{"a":1}' },
];

test('decodes the same events wherever the bytes are cut', () => {
  for (let first = 0; first <= BYTES.length; first += 1) {
    for (let second = first; second <= BYTES.length; second += 1) {
      const decoder = new Decoder();
      const parts = [BYTES.slice(0, first), BYTES.slice(first, second), BYTES.slice(second)];
      assert.deepEqual(parts.flatMap((part) => decoder.feed(part)), EVENTS);
      assert.equal(decoder.lastEventId, '3');
      assert.equal(decoder.retry, 10);
    }
  }
});

test('an id with NUL and a retry that is no number are ignored', () => {
  const decoder = new Decoder();
  decoder.feed(new TextEncoder().encode('id: 7\nid: a\0b\nretry: soon\n\n'));
  assert.equal(decoder.lastEventId, '7');
  assert.equal(decoder.retry, null);
});
