//! A reader of event streams that keeps every byte.

use std::io::Read;
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Context, bail, ensure};

use crate::PATIENCE;
use crate::http::{self, Head};

/// An open event stream.
#[derive(Debug)]
pub struct Stream {
    /// Status and headers of the response.
    pub head: Head,
    source: TcpStream,
    chunked: bool,
    /// Bytes of the connection that are not decoded yet.
    raw: Vec<u8>,
    /// Bytes of the stream that are no part of an event yet.
    text: Vec<u8>,
}

/// One event, as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its id, if it had one.
    pub id: Option<String>,
    /// Its type, if it had one.
    pub event: Option<String>,
    /// Its data lines, joined by line feeds.
    pub data: String,
    /// All its bytes, the blank line included.
    pub raw: String,
}

impl Stream {
    /// Subscribes, and waits for the head.
    ///
    /// # Errors
    /// If the server cannot be reached, or answers anything but a 200 with an event stream.
    pub fn open(url: &str, headers: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut source = http::send("GET", url, headers, "")?;
        let mut raw = Vec::new();
        let (head, rest) = loop {
            if let Some((head, rest)) = http::split(&raw) {
                break (head, rest.to_vec());
            }
            fill(&mut source, &mut raw)?;
        };
        ensure!(head.status == 200, "{url} was answered {head:?} {:?}", String::from_utf8_lossy(&rest));
        ensure!(
            head.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")),
            "{head:?}"
        );
        let chunked = head.header("transfer-encoding").is_some();
        Ok(Self { head, source, chunked, raw: rest, text: Vec::new() })
    }

    /// The next event; comments are passed over.
    ///
    /// # Errors
    /// If the stream ends or nothing comes in a minute.
    pub fn next_event(&mut self) -> anyhow::Result<Event> {
        let start = Instant::now();
        loop {
            ensure!(start.elapsed() < PATIENCE, "nothing but comments came");
            let block = self.block()?;
            let event = parse(&block);
            if event != (Event { raw: block, ..Event::default() }) {
                return Ok(event);
            }
        }
    }

    /// Everything up to the next blank line: an event, a comment, or a time to reconnect.
    ///
    /// # Errors
    /// If the stream ends or nothing comes in a minute.
    pub fn block(&mut self) -> anyhow::Result<String> {
        loop {
            if let Some(end) = self.text.windows(2).position(|window| window == b"\n\n") {
                let rest = self.text.split_off(end + 2);
                return Ok(String::from_utf8(std::mem::replace(&mut self.text, rest))?);
            }
            self.decode()?;
        }
    }

    /// Everything until the stream ends; nothing of it is checked.
    ///
    /// # Errors
    /// If it does not end in a minute after the last of it came.
    pub fn rest(mut self) -> anyhow::Result<String> {
        let mut bytes = std::mem::take(&mut self.text);
        bytes.append(&mut self.raw);
        self.source.read_to_end(&mut bytes).context("the stream does not end")?;
        Ok(String::from_utf8(bytes)?)
    }

    fn decode(&mut self) -> anyhow::Result<()> {
        if !self.chunked {
            if self.raw.is_empty() {
                fill(&mut self.source, &mut self.raw)?;
            }
            self.text.append(&mut self.raw);
            return Ok(());
        }
        let size = loop {
            if let Some(end) = self.raw.windows(2).position(|window| window == b"\r\n") {
                let size = usize::from_str_radix(std::str::from_utf8(&self.raw[..end])?, 16)
                    .context("no chunk size")?;
                self.raw.drain(..end + 2);
                break size;
            }
            fill(&mut self.source, &mut self.raw)?;
        };
        ensure!(size > 0, "the stream has ended");
        while self.raw.len() < size + 2 {
            fill(&mut self.source, &mut self.raw)?;
        }
        self.text.extend(self.raw.drain(..size));
        self.raw.drain(..2);
        Ok(())
    }
}

fn fill(source: &mut TcpStream, into: &mut Vec<u8>) -> anyhow::Result<()> {
    let mut chunk = [0; 4096];
    match source.read(&mut chunk).context("nothing came in time")? {
        0 => bail!("the stream ended after {:?}", String::from_utf8_lossy(into)),
        count => into.extend_from_slice(&chunk[..count]),
    }
    Ok(())
}

fn parse(block: &str) -> Event {
    let mut event = Event { raw: block.to_owned(), ..Event::default() };
    let mut data = Vec::new();
    for line in block.lines() {
        let (name, value) = line.split_once(": ").or_else(|| line.split_once(':')).unwrap_or((line, ""));
        match name {
            "id" => event.id = Some(value.to_owned()),
            "event" => event.event = Some(value.to_owned()),
            "data" => data.push(value),
            _ => {}
        }
    }
    event.data = data.join("\n");
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_taken_apart() {
        let event = parse("event: e\nid: 1\ndata: a\ndata:\ndata: b\n\n");
        assert_eq!(
            (event.id.as_deref(), event.event.as_deref(), event.data.as_str()),
            (Some("1"), Some("e"), "a\n\nb")
        );
    }
}
