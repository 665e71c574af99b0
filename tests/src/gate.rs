//! A gate in front of a hub, which sees what is published and never answers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
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
