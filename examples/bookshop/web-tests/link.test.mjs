import assert from 'node:assert/strict';
import test from 'node:test';

import { findLink, parseLink } from '../web/link.js';

test('finds the hub among several links, whatever their order and quoting', () => {
  const header =
    '<https://h/docs,v1.jsonld>; rel="http://www.w3.org/ns/hydra/core#apiDocumentation", ' +
    '<https://h/.well-known/mercure>;REL=mercure ; last-event-id="a,\\"b"; x';
  const hub = findLink(parseLink(header), 'mercure');
  assert.equal(hub.target, 'https://h/.well-known/mercure');
  assert.equal(hub.params['last-event-id'], 'a,"b');
});

test('takes one relation out of several, and the first of two parameters with one name', () => {
  const links = parseLink('</a>; rel="other mercure"; rel="self", </b>; rel=mercure');
  assert.equal(findLink(links, 'mercure').target, '/a');
  assert.equal(findLink(links, 'self'), undefined);
});

test('makes nothing of nothing, and stops at what is no link', () => {
  assert.deepEqual(parseLink(null), []);
  assert.deepEqual(parseLink('nonsense'), []);
  assert.deepEqual(parseLink('</a>; rel=x, oops').map(({ target }) => target), ['/a']);
});
