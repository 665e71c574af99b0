/**
 * Parses a `Link` header (RFC 8288): `[{target, params}]`, the names of parameters in lower case.
 * Browsers join several headers with a comma; targets and quoted values may hold commas too.
 */
export function parseLink(header) {
  const links = [];
  let rest = header ?? '';
  for (let found; (found = TARGET.exec(rest)); ) {
    rest = rest.slice(found[0].length);
    const params = {};
    for (let param; (param = PARAMETER.exec(rest)); ) {
      rest = rest.slice(param[0].length);
      const [, name, quoted, bare] = param;
      params[name.toLowerCase()] ??= quoted === undefined ? (bare ?? '') : quoted.replace(/\\(.)/g, '$1');
    }
    links.push({ target: found[1], params });
  }
  return links;
}

/** The first link that has this relation, or undefined; `rel` may hold several, separated by spaces. */
export function findLink(links, rel) {
  return links.find(({ params }) => (params.rel ?? '').split(/\s+/).includes(rel));
}

const TARGET = /^[\s,]*<([^>]*)>/;
const PARAMETER = /^\s*;\s*([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/;
