/** The items of one collection, by `@id`, and what has just changed about them. */
export class Store extends EventTarget {
  #path;
  #items = new Map();

  constructor(path) {
    super();
    this.#path = path;
  }

  get path() {
    return this.#path;
  }

  get size() {
    return this.#items.size;
  }

  /** Whether an `@id` is one of this collection. */
  owns(iri) {
    return iri.startsWith(`${this.#path}/`);
  }

  get(iri) {
    return this.#items.get(iri);
  }

  values() {
    return [...this.#items.values()];
  }

  /** Takes a document: a new item, a change, or nothing if it says what is known already. */
  put(document) {
    const { '@context': _, ...after } = document;
    const before = this.#items.get(after['@id']);
    const fields = before ? differences(before, after) : Object.keys(after);
    if (fields.length === 0) return;
    this.#items.set(after['@id'], after);
    this.#tell({ kind: before ? 'changed' : 'created', iri: after['@id'], before, after, fields });
  }

  delete(iri) {
    const before = this.#items.get(iri);
    if (this.#items.delete(iri)) this.#tell({ kind: 'deleted', iri, before, fields: [] });
  }

  /** Takes a whole collection; what is not in it any more is gone. */
  replace(documents) {
    const kept = new Set(documents.map((document) => document['@id']));
    for (const iri of [...this.#items.keys()]) if (!kept.has(iri)) this.delete(iri);
    for (const document of documents) this.put(document);
  }

  #tell(change) {
    this.dispatchEvent(new CustomEvent('change', { detail: change }));
  }
}

function differences(before, after) {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => JSON.stringify(before[name] ?? null) !== JSON.stringify(after[name] ?? null));
}
