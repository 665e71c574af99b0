//! From `text/event-stream` bytes, in whatever pieces they come, to messages.

use std::collections::VecDeque;

/// A message as `EventSource` would hand it to a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The last event id of the stream when the message came.
    pub id: String,
    /// `message` unless the event named a type.
    pub event_type: String,
    /// The data lines, joined by line feeds.
    pub data: String,
}

/// Reads an event stream piece by piece. Lines may end in the middle of a piece, and so may characters.
#[derive(Debug)]
pub struct Decoder {
    line: Vec<u8>,
    /// The last byte was a CR: a LF that follows belongs to it.
    after_cr: bool,
    /// No line was read yet: a byte order mark may stand before it.
    at_start: bool,
    data: String,
    has_data: bool,
    event_type: String,
    /// The id field of the event that is being read; it counts for the stream once the event ends.
    pending_id: String,
    last_event_id: String,
    retry: Option<u64>,
    messages: VecDeque<Message>,
    max_event_bytes: usize,
}

impl Decoder {
    /// A decoder that takes events of up to 16 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self::with_max_event_bytes(16 << 20)
    }

    /// A decoder that takes events of up to so many bytes.
    #[must_use]
    pub fn with_max_event_bytes(max_event_bytes: usize) -> Self {
        Self {
            line: Vec::new(),
            after_cr: false,
            at_start: true,
            data: String::new(),
            has_data: false,
            event_type: String::new(),
            pending_id: String::new(),
            last_event_id: String::new(),
            retry: None,
            messages: VecDeque::new(),
            max_event_bytes,
        }
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// [`DecodeError`] if an event is too large; the stream cannot be read further then.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), DecodeError> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(at) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
                self.line.extend_from_slice(bytes);
                return self.check_size();
            };
            self.line.extend_from_slice(&bytes[..at]);
            self.check_size()?;
            self.after_cr = bytes[at] == b'\r';
            bytes = &bytes[at + 1..];
            self.end_line();
        }
        Ok(())
    }

    /// The next message that is complete.
    pub fn next_message(&mut self) -> Option<Message> {
        self.messages.pop_front()
    }

    /// What a reconnection sends as `Last-Event-ID`; empty if no event had an id.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// How long the server wants its clients to wait before they reconnect, in milliseconds.
    #[must_use]
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }

    fn check_size(&self) -> Result<(), DecodeError> {
        if self.line.len() + self.data.len() > self.max_event_bytes {
            return Err(DecodeError { max: self.max_event_bytes });
        }
        Ok(())
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        // The standard decodes with replacement; a line holds whole characters, so pieces do not matter.
        let text = String::from_utf8_lossy(&line);
        let text = if std::mem::take(&mut self.at_start) {
            text.strip_prefix('\u{feff}').unwrap_or(&text)
        } else {
            &text
        };
        if text.is_empty() {
            self.end_event();
        } else if !text.starts_with(':') {
            let (name, value) = text.split_once(':').unwrap_or((text, ""));
            self.field(name, value.strip_prefix(' ').unwrap_or(value));
        }
        self.line = line;
        self.line.clear();
    }

    fn field(&mut self, name: &str, value: &str) {
        match name {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.event_type),
            "id" if !value.contains('\0') => value.clone_into(&mut self.pending_id),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok();
            }
            _ => {}
        }
    }

    fn end_event(&mut self) {
        self.last_event_id.clone_from(&self.pending_id);
        let event_type = std::mem::take(&mut self.event_type);
        let data = std::mem::take(&mut self.data);
        if std::mem::take(&mut self.has_data) {
            let event_type = if event_type.is_empty() { "message".to_owned() } else { event_type };
            self.messages.push_back(Message { id: self.last_event_id.clone(), event_type, data });
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

/// An event is larger than the decoder takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {max} bytes")]
pub struct DecodeError {
    max: usize,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::encode;
    use super::*;
    use crate::{EventId, EventType};

    fn decode(pieces: &[&[u8]]) -> (Vec<Message>, Decoder) {
        let mut decoder = Decoder::new();
        for piece in pieces {
            decoder.feed(piece).unwrap();
        }
        let messages = std::iter::from_fn(|| decoder.next_message()).collect();
        (messages, decoder)
    }

    fn message(id: &str, event_type: &str, data: &str) -> Message {
        Message { id: id.to_owned(), event_type: event_type.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn the_examples_of_the_standard() {
        assert_eq!(
            decode(&[b"data: YHOO\ndata: +2\ndata: 10\n\n"]).0,
            [message("", "message", "YHOO\n+2\n10")]
        );
        let (messages, _) = decode(&[
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        ]);
        let expected = [
            message("1", "message", "first event"),
            message("", "message", "second event"),
            message("", "message", " third event"),
        ];
        assert_eq!(messages, expected);
        assert_eq!(
            decode(&[b"data\n\ndata\ndata\n\ndata:"]).0,
            [message("", "message", ""), message("", "message", "\n")]
        );
        assert_eq!(
            decode(&[b"data:test\n\ndata: test\n\n"]).0,
            [message("", "message", "test"), message("", "message", "test")]
        );
    }

    #[test]
    fn a_byte_order_mark_line_ends_and_odd_fields() {
        let (messages, decoder) = decode(&[b"\xef\xbb\xbfdata: a\r\ndata: b\rdata: c\n\r\nid: x\0y\nretry: 12\nretry: x\nevent: e\ndata: d\n\n"]);
        assert_eq!(messages, [message("", "message", "a\nb\nc"), message("", "e", "d")]);
        assert_eq!((decoder.retry(), decoder.last_event_id()), (Some(12), ""));
    }

    #[test]
    fn an_id_without_data_counts_and_an_unfinished_one_does_not() {
        let (messages, decoder) = decode(&[b"id: 7\n\nid: 8\ndata: x\n"]);
        assert!(messages.is_empty());
        assert_eq!(decoder.last_event_id(), "7");
    }

    #[test]
    fn an_event_that_never_ends_is_refused() {
        let mut decoder = Decoder::with_max_event_bytes(100);
        let line = b"data: 0123456789\n";
        let error = (0..100).find_map(|_| decoder.feed(line).err()).unwrap();
        assert_eq!(error.to_string(), "an event is larger than 100 bytes");
        assert!(Decoder::with_max_event_bytes(100).feed(&[b'x'; 101]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_wherever_it_is_split(
            data in "(\\PC|\r|\n|\r\n){0,40}",
            event_type in prop::option::of("[a-z\u{e9}]{1,8}"),
            id in "[a-z\u{1f409}]{1,8}",
            retry in prop::option::of(0u64..100_000),
        ) {
            let mut bytes = Vec::new();
            let (id, typed) = (EventId::new(&id).unwrap(), event_type.as_deref().map(|name| EventType::new(name).unwrap()));
            encode(&id, typed.as_ref(), retry, &data, &mut bytes);
            let lines = data.replace("\r\n", "\n").replace('\r', "\n");
            let expected = message(id.as_str(), event_type.as_deref().unwrap_or("message"), &lines);
            for split in 0..=bytes.len() {
                let (messages, decoder) = decode(&[&bytes[..split], &bytes[split..]]);
                prop_assert_eq!(&messages[..], &[expected.clone()][..]);
                prop_assert_eq!(decoder.retry(), retry);
            }
        }

        #[test]
        fn any_bytes_decode_the_same_in_one_piece_and_byte_by_byte(bytes in prop::collection::vec(prop_oneof![
            4 => prop::sample::select(b"\r\n: dateivnr0\xc3\xa9\xef\xbb\xbf".to_vec()), 1 => any::<u8>(),
        ], 0..200)) {
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(decode(&[&bytes]).0, decode(&single).0);
        }
    }
}
