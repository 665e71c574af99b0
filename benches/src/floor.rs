//! The floor: as many sockets of the same kind, and a loop that writes to each.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::Context;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::child::{Child, listen};
use crate::machine;
use crate::subject::frame;

/// A process with such a loop.
#[derive(Debug)]
pub struct Floor(Child);

impl Floor {
    /// Starts it; the address at which it waits for so many connections.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(count: usize) -> anyhow::Result<(Self, SocketAddr)> {
        let mut child = Child::start(&["child", "floor", &count.to_string()])?;
        let address = child.hear("at")?.parse()?;
        Ok((Self(child), address))
    }

    /// Sends one event to everyone.
    ///
    /// # Errors
    /// If a client is gone.
    pub fn send(&mut self) -> anyhow::Result<()> {
        self.0.ask("send", "sent").map(drop)
    }

    /// Processor time that it has used.
    ///
    /// # Errors
    /// If it has ended.
    pub fn cpu_time(&mut self) -> anyhow::Result<Duration> {
        Ok(Duration::from_nanos(self.0.ask("time", "time")?.parse()?))
    }
}

/// The process itself: `floor COUNT`.
///
/// # Errors
/// What goes wrong.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    machine::raise_open_files()?;
    let count = args.first().context("floor COUNT")?.parse()?;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(8192)?;
    let listener = TcpListener::from(socket);
    println!("at {}", listener.local_addr()?);
    let mut streams = accept(&listener, count)?;
    let frame = frame()?;
    listen(|line| {
        if line == "time" {
            return Ok(format!("time {}", machine::cpu_time().as_nanos()));
        }
        for stream in &mut streams {
            stream.write_all(&frame)?;
        }
        Ok("sent".to_owned())
    })
}

/// Takes `count` connections, reads the request of each and answers one byte.
fn accept(listener: &TcpListener, count: usize) -> anyhow::Result<Vec<TcpStream>> {
    let mut streams = Vec::with_capacity(count);
    let mut request = [0; 4096];
    for _ in 0..count {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_send_buffer_size(64 << 10)?;
        let read = stream.read(&mut request)?;
        anyhow::ensure!(read > 0, "a client left");
        stream.write_all(b":")?;
        streams.push(stream);
    }
    Ok(streams)
}
