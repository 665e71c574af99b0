//! A connection with nothing between the test and the bytes.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use anyhow::Context;
use petasos_testkit::PATIENCE;

/// A TCP connection to the hub.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// Connects to an origin.
    ///
    /// # Errors
    /// If it cannot be reached.
    pub fn open(origin: &str) -> anyhow::Result<Self> {
        let host = origin.strip_prefix("http://").with_context(|| format!("{origin} is not http"))?;
        let stream = TcpStream::connect(host).with_context(|| format!("{host} cannot be reached"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// If the other side has hung up.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// If the other side has hung up.
    pub fn end(&mut self) -> io::Result<()> {
        self.stream.shutdown(std::net::Shutdown::Write)
    }

    /// Reads until `end` has come, and returns everything up to and including it; less at the end of the connection.
    ///
    /// # Errors
    /// If nothing comes in a minute.
    pub fn until(&mut self, end: &[u8]) -> anyhow::Result<String> {
        loop {
            if let Some(at) = self.received.windows(end.len()).position(|window| window == end) {
                let rest = self.received.split_off(at + end.len());
                let found = std::mem::replace(&mut self.received, rest);
                return Ok(String::from_utf8_lossy(&found).into_owned());
            }
            if self.fill()? == 0 {
                return Ok(String::from_utf8_lossy(&std::mem::take(&mut self.received)).into_owned());
            }
        }
    }

    /// Reads to the end of the connection.
    ///
    /// # Errors
    /// If it does not end, and nothing comes in a minute.
    pub fn rest(&mut self) -> anyhow::Result<Vec<u8>> {
        while self.fill()? > 0 {}
        Ok(std::mem::take(&mut self.received))
    }

    fn fill(&mut self) -> anyhow::Result<usize> {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(count) => {
                self.received.extend_from_slice(&chunk[..count]);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(0),
            Err(error) => Err(error).context("nothing came in time"),
        }
    }
}
