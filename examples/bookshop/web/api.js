/**
 * The API as this page uses it: everything is found by following links from `/`,
 * nothing about its addresses is built in.
 */
import { findLink, parseLink } from './link.js';

/** A refusal by the API, or no answer at all (`status` 0). */
export class Problem extends Error {
  constructor(status, message, violations = []) {
    super(message);
    this.status = status;
    /** `[{propertyPath, message}]` */
    this.violations = violations;
  }
}

/** The addresses of the collections, by the name of their resource: `{book: '/books', review: '/reviews'}`. */
export async function entrypoint() {
  const { document } = await request('/');
  const paths = Object.entries(document).filter(([name]) => !name.startsWith('@'));
  return Object.fromEntries(paths.map(([name, path]) => [name, new URL(path, location.href).pathname]));
}

/** The shop believes this header; a real one would have sessions. */
export function signedInAs(reader) {
  return { 'Bookshop-Reader': reader };
}

/** Every item of a collection (of what a reader may see, if one is named), page by page, and what the first answer said about the hub. */
export async function collection(path, reader) {
  const members = [];
  const first = await request(path, { reader });
  let { document } = first;
  for (let pages = 1; ; pages += 1) {
    members.push(...(part(document, 'member') ?? []));
    const next = part(part(document, 'view') ?? {}, 'next');
    if (!next || pages === MOST_PAGES) return { members, live: liveLinks(first.links) };
    ({ document } = await request(next, { reader }));
  }
}

export async function create(path, item, reader) {
  return (await request(path, { method: 'POST', body: item, type: 'application/ld+json', reader })).document;
}

export async function change(iri, fields) {
  return (await request(iri, { method: 'PATCH', body: fields, type: 'application/merge-patch+json' })).document;
}

export async function remove(iri, reader) {
  await request(iri, { method: 'DELETE', reader });
}

async function request(path, { method = 'GET', body, type, reader } = {}) {
  const headers = { Accept: 'application/ld+json' };
  if (type) headers['Content-Type'] = type;
  if (reader) Object.assign(headers, signedInAs(reader));
  // The answers to readers set the hub's cookie, of which this page, being two of them at once, can keep none.
  const credentials = reader ? 'omit' : 'same-origin';
  const response = await send(path, { method, headers, credentials, body: body && JSON.stringify(body) });
  const document = await response.json().catch(() => null);
  if (!response.ok) throw problem(response.status, document);
  if (document === null && response.status !== 204) throw new Problem(response.status, 'The answer was no JSON document.');
  return { document, links: parseLink(response.headers.get('Link')) };
}

async function send(path, options) {
  try {
    return await fetch(path, { ...options, signal: AbortSignal.timeout(PATIENCE) });
  } catch {
    throw new Problem(0, 'The API does not answer. Is it running?');
  }
}

function problem(status, document) {
  const violations = Array.isArray(document?.violations) ? document.violations : [];
  return new Problem(status, part(document ?? {}, 'description') ?? document?.detail ?? `The API answered ${status}.`, violations);
}

/** Hydra's own members come with their prefix or without. */
function part(document, name) {
  return document[`hydra:${name}`] ?? document[name];
}

/**
 * `hub` and `cursor` of the `Link` header, and `base`: the origin that the API gives its resources.
 * It need not be the origin of this page (another name of the host, a proxy), but topics use it.
 */
function liveLinks(links) {
  const hub = findLink(links, 'mercure');
  if (!hub) return null;
  const base = findLink(links, 'self') ?? findLink(links, DOCUMENTATION);
  return {
    hub: new URL(hub.target, location.href).href,
    cursor: hub.params['last-event-id'] || null,
    base: new URL(base?.target ?? '/', location.href).origin,
  };
}

const DOCUMENTATION = 'http://www.w3.org/ns/hydra/core#apiDocumentation';
const PATIENCE = 15_000;
const MOST_PAGES = 100;
