//! From an update to `text/event-stream` bytes.

use crate::{EventId, EventType};

/// Appends one event: `event`, `retry`, `id`, then one `data` line for each line of `data`, then a blank line.
///
/// A line break in `data`, be it CR, LF or CRLF, never starts another field (PUB.6); ids and types hold none by their types.
pub fn encode(
    id: &EventId,
    event_type: Option<&EventType>,
    retry: Option<u64>,
    data: &str,
    out: &mut Vec<u8>,
) {
    if let Some(event_type) = event_type {
        field("event", event_type.as_str(), out);
    }
    if let Some(retry) = retry {
        field("retry", &retry.to_string(), out);
    }
    field("id", id.as_str(), out);
    for line in Lines(Some(data)) {
        field("data", line, out);
    }
    out.push(b'\n');
}

fn field(name: &str, value: &str, out: &mut Vec<u8>) {
    for piece in [name, ": ", value, "\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// Lines as an event stream has them; a text without a line break is one line, an empty one too.
struct Lines<'a>(Option<&'a str>);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0?;
        let Some(at) = text.find(['\r', '\n']) else {
            self.0 = None;
            return Some(text);
        };
        let length = if text[at..].starts_with("\r\n") { 2 } else { 1 };
        self.0 = Some(&text[at + length..]);
        Some(&text[..at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(data: &str) -> String {
        let mut out = Vec::new();
        encode(&EventId::new("urn:1").unwrap(), None, None, data, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn pub_6_each_kind_of_line_break_starts_a_data_line() {
        assert_eq!(
            encoded("a\nb\rc\r\nd\n\r"),
            "id: urn:1\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: \n\n"
        );
        assert_eq!(encoded(""), "id: urn:1\ndata: \n\n");
    }

    #[test]
    fn type_and_retry_come_first() {
        let mut out = Vec::new();
        encode(&EventId::new("i").unwrap(), Some(&EventType::new("t").unwrap()), Some(5), "d", &mut out);
        assert_eq!(out, b"event: t\nretry: 5\nid: i\ndata: d\n\n");
    }
}
