//! What stands where a hub should: a gate that sees what is published and never answers, and somebody who refuses everything.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use anyhow::Context;
use petasos_testkit::PATIENCE;

/// Takes requests; the publisher never learns what became of them.
#[derive(Debug)]
pub struct Gate {
    /// Where to publish.
    pub url: String,
    requests: Receiver<String>,
}

impl Gate {
    /// Opens a gate; with the URL of a hub, that hub gets each request, and only its answer is kept back.
    ///
    /// # Errors
    /// If no port is free.
    pub fn open(hub: Option<&str>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/.well-known/mercure", listener.local_addr()?);
        let hub = hub.map(|url| authority(url).map(str::to_owned)).transpose()?;
        let (sender, requests) = channel();
        thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                let Ok(request) = pass(&stream, hub.as_deref()) else { continue };
                // Closing it would be an answer.
                open.push(stream);
                if sender.send(request).is_err() {
                    return;
                }
            }
        });
        Ok(Self { url, requests })
    }

    /// The next request, once the hub has answered it if there is one.
    ///
    /// # Errors
    /// If none comes in a minute.
    pub fn request(&self) -> anyhow::Result<String> {
        self.requests.recv_timeout(PATIENCE).context("nothing was published")
    }
}

/// Stands where a hub was, and has no use for what is published: it answers that it will later, if ever.
#[derive(Debug)]
pub struct Refusal {
    asked: Receiver<()>,
    address: String,
    ended: Arc<AtomicBool>,
}

impl Refusal {
    /// Takes the address, which was free a moment ago.
    ///
    /// # Errors
    /// If somebody has it.
    pub fn at(address: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let (sender, asked) = channel();
        let ended = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ended);
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let answer =
                    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                let is_refused = read(&mut stream).and_then(|_| Ok(stream.write_all(answer)?));
                if is_refused.is_ok() && sender.send(()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { asked, address: address.to_owned(), ended })
    }

    /// Refuses so many times, and then leaves the address to others.
    ///
    /// # Errors
    /// If nobody asks in a minute.
    pub fn times(self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            self.asked.recv_timeout(PATIENCE).context("nobody tried again")?;
        }
        self.ended.store(true, Ordering::SeqCst);
        // Makes the thread look, unless somebody else has: it closes its listener then.
        drop(TcpStream::connect(&self.address));
        while self.asked.recv_timeout(PATIENCE).is_ok() {}
        Ok(())
    }
}

fn pass(mut stream: &TcpStream, hub: Option<&str>) -> anyhow::Result<String> {
    let request = read(&mut stream)?;
    if let Some(hub) = hub {
        let mut onward = TcpStream::connect(hub)?;
        onward.write_all(&request)?;
        let answer = read(&mut onward)?;
        anyhow::ensure!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    Ok(String::from_utf8(request)?)
}

/// A message with a length.
fn read(stream: &mut impl Read) -> anyhow::Result<Vec<u8>> {
    let mut message = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = stream.read(&mut piece)?;
        anyhow::ensure!(count > 0, "the connection ended early");
        message.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&message);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.context("a message without a length")?.trim().parse()?;
            if body.len() >= length {
                return Ok(message);
            }
        }
    }
}

fn authority(url: &str) -> anyhow::Result<&str> {
    url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).context("no http URL")
}
