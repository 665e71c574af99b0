//! A client that keeps its connection and does nothing else: it must not be what is measured.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::Context;

pub(crate) struct Client {
    stream: TcpStream,
    address: String,
    answer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address: address.to_owned(), answer: vec![0; 64 << 10] })
    }

    /// Gives a row another title.
    pub(crate) fn patch(&mut self, path: &str, title: &str) -> anyhow::Result<()> {
        let body = format!("{{\"title\":\"{title}\"}}");
        self.send(&format!(
            "PATCH {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/merge-patch+json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ))
    }

    pub(crate) fn get(&mut self, path: &str) -> anyhow::Result<()> {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address))
    }

    fn send(&mut self, request: &str) -> anyhow::Result<()> {
        self.stream.write_all(request.as_bytes())?;
        let mut have = 0;
        loop {
            let count = self.stream.read(&mut self.answer[have..])?;
            anyhow::ensure!(count > 0, "the connection was closed");
            have += count;
            let text = String::from_utf8_lossy(&self.answer[..have]);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
            let length = head.to_ascii_lowercase();
            let length =
                length.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            let length: usize = length.context("an answer without a length")?;
            if body.len() >= length {
                return Ok(());
            }
        }
    }
}
