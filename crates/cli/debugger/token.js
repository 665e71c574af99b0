/** Says what is in an access token, without judging it: that is up to the hub. */

/** One line for a person; `wrong` if it cannot even be read. */
export function explain(token) {
  if (token === '') return { text: '' };
  try {
    const claims = payload(token);
    const may = (action) => topics(claims, action);
    const parts = [expiry(claims.exp), `publishes ${may('publish')}`, `receives ${may('subscribe')}`];
    return { text: parts.join(' \u00b7 '), wrong: claims.exp * 1000 <= Date.now() };
  } catch {
    return { text: 'This is not a JSON Web Token.', wrong: true };
  }
}

function payload(token) {
  const part = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
  const bytes = Uint8Array.from(atob(part), (char) => char.codePointAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

function topics(claims, action) {
  const details = (claims.authorization_details ?? []).filter((detail) => detail.actions?.includes(action));
  const matches = details.flatMap((detail) => detail.topics ?? []).map((topic) => topic.match);
  if (matches.length === 0) return 'nothing';
  if (matches.includes('*')) return 'everything';
  return matches.length > 3 ? `${matches.slice(0, 3).join(', ')} and ${matches.length - 3} more` : matches.join(', ');
}

function expiry(exp) {
  const minutes = Math.round((exp * 1000 - Date.now()) / 60_000);
  if (!Number.isFinite(minutes)) return 'never expires';
  if (minutes < 0) return 'expired';
  if (minutes < 120) return `expires in ${minutes} min`;
  return `expires in ${Math.round(minutes / 60)} h`;
}
