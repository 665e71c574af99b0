/** The same requests for a shell. */

export function subscribing(url, token, cursor) {
  return ['curl', '-N', ...authorization(token), ...(cursor ? ['-H', `Last-Event-ID: ${cursor}`] : []), url].map(quote).join(' ');
}

export function publishing(url, token, form) {
  const fields = [...form].flatMap(([name, value]) => ['--data-urlencode', `${name}=${value}`]);
  return ['curl', ...authorization(token), ...fields, url].map(quote).join(' ');
}

function authorization(token) {
  return token ? ['-H', `Authorization: Bearer ${token}`] : [];
}

function quote(word) {
  return /^[\w./:-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
