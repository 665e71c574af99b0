//! HTTP/2 as far as a client needs it that opens streams and counts what comes: a connection costs it next to nothing.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use anyhow::bail;
use mio::net::TcpStream;

/// A connection with many subscriptions on it.
#[derive(Debug)]
pub struct Connection {
    pub(crate) stream: TcpStream,
    /// The beginning of a frame, or of nothing.
    rest: Vec<u8>,
    /// Responses that have begun.
    pub answered: usize,
    /// Bytes of data, over all streams.
    pub received: usize,
}

impl Connection {
    /// Connects and asks for `path` on so many streams.
    ///
    /// # Errors
    /// If the connection is refused.
    pub fn open(address: SocketAddr, path: &str, streams: u32) -> anyhow::Result<Self> {
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        // The largest window for each stream and for all together: nothing has to be said about it later.
        let mut settings = INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
        settings.extend_from_slice(&LARGEST_WINDOW.to_be_bytes());
        frame(&mut bytes, SETTINGS, 0, 0, &settings);
        frame(&mut bytes, WINDOW_UPDATE, 0, 0, &(LARGEST_WINDOW - 65_535).to_be_bytes());
        let head = head(&address.to_string(), path);
        for number in 0..streams {
            frame(&mut bytes, HEADERS, END_STREAM | END_HEADERS, number * 2 + 1, &head);
        }
        stream.write_all(&bytes)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream: TcpStream::from_std(stream), rest: Vec::new(), answered: 0, received: 0 })
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// If the connection or a stream ends.
    pub fn read(&mut self, buffer: &mut [u8]) -> anyhow::Result<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("a connection was closed"),
                Ok(count) => self.take(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take(&mut self, new: &[u8]) -> anyhow::Result<()> {
        if self.rest.is_empty() {
            let taken = self.frames(new)?;
            self.rest.extend_from_slice(&new[taken..]);
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.extend_from_slice(new);
        let taken = self.frames(&bytes)?;
        self.rest = bytes[taken..].to_vec();
        Ok(())
    }

    /// Looks at all whole frames; how many bytes that were.
    fn frames(&mut self, bytes: &[u8]) -> anyhow::Result<usize> {
        let mut at = 0;
        while let Some(header) = bytes[at..].first_chunk::<9>() {
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
            let Some(payload) = bytes[at + 9..].get(..length) else { break };
            self.frame(header[3], header[4], payload)?;
            at += 9 + length;
        }
        Ok(at)
    }

    fn frame(&mut self, kind: u8, flags: u8, payload: &[u8]) -> anyhow::Result<()> {
        match kind {
            DATA if flags & END_STREAM == 0 => self.received += payload.len(),
            HEADERS if flags & END_STREAM == 0 => self.answered += 1,
            SETTINGS if flags & ACK == 0 => self.say(SETTINGS, &[])?,
            PING if flags & ACK == 0 => self.say(PING, payload)?,
            DATA | HEADERS | RST_STREAM | GOAWAY => bail!("a stream or connection ended (frame {kind})"),
            _ => {}
        }
        Ok(())
    }

    fn say(&mut self, kind: u8, payload: &[u8]) -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        frame(&mut bytes, kind, ACK, 0, payload);
        // A few bytes on a connection on which next to nothing is sent.
        Ok(self.stream.write_all(&bytes)?)
    }
}

/// RFC 9113 section 4.1.
fn frame(into: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    into.extend_from_slice(&length[1..]);
    into.extend_from_slice(&[kind, flags]);
    into.extend_from_slice(&stream.to_be_bytes());
    into.extend_from_slice(payload);
}

/// RFC 7541: `GET` and `http` from the static table, the path and the authority as literals that are not indexed.
fn head(authority: &str, path: &str) -> Vec<u8> {
    let mut head = vec![0x82, 0x86];
    for (name, value) in [(0x04, path), (0x01, authority)] {
        head.push(name);
        head.push(u8::try_from(value.len()).ok().filter(|length| *length < 127).unwrap_or_default());
        head.extend_from_slice(value.as_bytes());
    }
    head
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const INITIAL_WINDOW_SIZE: u16 = 4;
const LARGEST_WINDOW: u32 = (1 << 31) - 1;
