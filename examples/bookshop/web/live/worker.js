/** The SharedWorker: a relay for each distinct subscription, a port for each tab. */
import { Relay } from './relay.js';

const relays = new Map();

function relayFor(key, options) {
  const known = relays.get(key);
  if (known) return known;
  const ports = new Map();
  const relay = new Relay(options, (event, tab) => {
    if (tab !== undefined) {
      ports.get(tab)?.postMessage(event);
      if (event.kind === 'unknown') ports.delete(tab);
      return;
    }
    for (const port of ports.values()) port.postMessage(event);
  });
  relays.set(key, { relay, ports });
  return relays.get(key);
}

function leave(key, tab) {
  const { relay, ports } = relays.get(key);
  relay.leave(tab);
  ports.delete(tab);
  if (relay.idle) relays.delete(key);
}

self.addEventListener('connect', ({ ports: [port] }) => {
  port.onmessage = ({ data: { kind, key, tab, cursor, options } }) => {
    if (kind === 'join') {
      const { relay, ports } = relayFor(key, options);
      ports.set(tab, port);
      relay.join(tab, cursor);
    } else if (!relays.get(key)?.ports.has(tab)) {
      port.postMessage({ kind: 'unknown' });
    } else if (kind === 'leave') {
      leave(key, tab);
    } else if (kind === 'ping') {
      relays.get(key).relay.ping(tab);
    } else if (kind === 'wake') {
      relays.get(key).relay.wake();
    }
  };
});
