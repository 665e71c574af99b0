//! Clients that subscribe and then never read again.

use std::io::{Read, Write};
use std::net::SocketAddr;

use anyhow::{Context, bail};
use socket2::{Domain, Protocol, Socket, Type};

use crate::child::{Child, listen};
use crate::machine;

/// A process of such clients.
#[derive(Debug)]
pub struct Stuck(#[expect(dead_code, reason = "they are there as long as it is")] Child);

impl Stuck {
    /// Opens `count` connections with this request and leaves them alone.
    ///
    /// # Errors
    /// If one of them is refused.
    pub fn start(address: SocketAddr, count: usize, request: &str) -> anyhow::Result<Self> {
        let mut child = Child::start(&["child", "stuck", &address.to_string(), &count.to_string(), request])?;
        child.hear("stuck")?;
        Ok(Self(child))
    }
}

/// The process itself: `stuck ADDRESS COUNT REQUEST`.
///
/// # Errors
/// What goes wrong.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    machine::raise_open_files()?;
    let [address, count, request] = args else { bail!("stuck ADDRESS COUNT REQUEST") };
    let (address, count): (SocketAddr, usize) = (address.parse()?, count.parse()?);
    let _streams = (0..count).map(|_| open(address, request)).collect::<anyhow::Result<Vec<_>>>()?;
    println!("stuck");
    listen(|_| Ok(String::new()))
}

/// With the smallest window that the system gives, so that it is full soon.
///
/// # Errors
/// If it is refused.
pub fn open(address: SocketAddr, request: &str) -> anyhow::Result<Socket> {
    let mut socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_recv_buffer_size(1)?;
    socket.connect(&address.into()).context("a connection")?;
    socket.write_all(request.as_bytes())?;
    let mut one = [0];
    socket.read_exact(&mut one).context("no answer")?;
    Ok(socket)
}
