/** Shows data: JSON indented and in colours, anything else as it is. */
import { make } from './dom.js';

export function show(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return [text];
  }
  if (value === null || typeof value !== 'object') return [text];
  return pieces(JSON.stringify(value, null, 2));
}

function pieces(json) {
  const nodes = [];
  let end = 0;
  for (const match of json.matchAll(TOKEN)) {
    if (match.index > end) nodes.push(json.slice(end, match.index));
    nodes.push(make('span', { className: kind(match) }, match[0]));
    end = match.index + match[0].length;
  }
  nodes.push(json.slice(end));
  return nodes;
}

function kind({ groups }) {
  if (groups.name !== undefined) return 'json-name';
  return groups.string === undefined ? 'json-other' : 'json-string';
}

const TOKEN = /(?<name>"(?:[^"\\]|\\.)*"(?=:))|(?<string>"(?:[^"\\]|\\.)*")|(?<other>-?\d[\d.eE+-]*|\btrue\b|\bfalse\b|\bnull\b)/g;
