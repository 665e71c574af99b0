//! A plain HTTP/1.1 client: one connection per request.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, bail, ensure};

use crate::PATIENCE;

/// A response, whole.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status and headers.
    pub head: Head,
    /// The body, decoded.
    pub body: String,
}

/// Status and headers of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Names, as they were sent, and values.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// All headers of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Sends a request and reads the whole response.
///
/// # Errors
/// If the server cannot be reached or does not answer HTTP.
pub fn request(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> anyhow::Result<Response> {
    let mut stream = send(method, url, &[headers, &[("connection", "close")]].concat(), body)?;
    let bytes = read_response(&mut stream).with_context(|| format!("{method} {url}"))?;
    let (head, body) = split(&bytes).with_context(|| format!("{method} {url} was answered {bytes:?}"))?;
    let chunked =
        head.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    let body = if chunked { unchunk(body)? } else { body.to_vec() };
    Ok(Response { head, body: String::from_utf8(body)? })
}

/// Reads as much as the response says that it has: not every server closes the connection when it is asked to.
fn read_response(stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        if let Some((head, body)) = split(&bytes) {
            let length = head.header("content-length").and_then(|length| length.parse::<usize>().ok());
            if head.status == 204 || length.is_some_and(|length| body.len() >= length) {
                return Ok(bytes);
            }
        }
        match stream.read(&mut chunk)? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

/// `GET`, expecting a 200.
///
/// # Errors
/// As [`request`], and if the status is another one.
pub fn get(url: &str) -> anyhow::Result<Response> {
    let response = request("GET", url, &[], "")?;
    ensure!(response.head.status == 200, "GET {url} was answered {response:?}");
    Ok(response)
}

/// Sends these bytes and reads whatever comes until the server closes the connection or the response is whole.
///
/// # Errors
/// If the server cannot be reached or does not answer HTTP.
pub fn raw(address: &str, bytes: &[u8]) -> anyhow::Result<Head> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("{address} cannot be reached"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(bytes)?;
    finish(&mut stream)
}

/// The head of the response to what was sent on a connection.
///
/// # Errors
/// If none comes in a minute.
pub fn finish(stream: &mut TcpStream) -> anyhow::Result<Head> {
    let bytes = read_response(stream)?;
    let (head, _) = split(&bytes).with_context(|| format!("answered {bytes:?}"))?;
    Ok(head)
}

/// Opens a connection and sends a request on it.
pub(crate) fn send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> anyhow::Result<TcpStream> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url:?} is no http URL"))?;
    let (host, path) =
        rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
    let path = if path.is_empty() { "/".to_owned() } else { path };
    let mut stream = TcpStream::connect(host).with_context(|| format!("{host} cannot be reached"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(body);
    stream.write_all(text.as_bytes())?;
    Ok(stream)
}

/// Splits a response into its head and what follows; nothing if the head is not complete.
#[must_use]
pub fn split(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    Some((Head { status, headers: lines.filter_map(header).collect() }, &bytes[end + 4..]))
}

fn unchunk(mut bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n").context("a chunk has no size")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end])?.trim(), 16)?;
        if size == 0 {
            return Ok(body);
        }
        let data = end + 2;
        if bytes.len() < data + size + 2 {
            bail!("the last chunk is missing");
        }
        body.extend_from_slice(&bytes[data..data + size]);
        bytes = &bytes[data + size + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_put_together() {
        assert_eq!(unchunk(b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n").unwrap(), b"abc0123456789");
        assert!(unchunk(b"3\r\nab").is_err());
        assert!(split(b"HTTP/1.1 200 OK\r\n").is_none());
    }
}
