//! The floor: as many sockets, and a loop that writes to each.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Protocol, Socket, Type};

/// Sockets without anything around them.
pub(crate) struct Floor {
    streams: Vec<TcpStream>,
}

impl Floor {
    /// A listener for [`Floor::accept`].
    pub(crate) fn listen() -> anyhow::Result<(TcpListener, SocketAddr)> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        socket.listen(8192)?;
        let listener = TcpListener::from(socket);
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    /// Takes `count` connections, reads the request of each and answers one byte.
    pub(crate) fn accept(listener: &TcpListener, count: usize) -> anyhow::Result<Self> {
        let mut streams = Vec::with_capacity(count);
        let mut request = [0; 4096];
        for _ in 0..count {
            let (mut stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            let read = stream.read(&mut request)?;
            anyhow::ensure!(read > 0, "a client left");
            stream.write_all(b":")?;
            streams.push(stream);
        }
        Ok(Self { streams })
    }

    /// One write to each.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        for stream in &mut self.streams {
            stream.write_all(bytes)?;
        }
        Ok(())
    }
}
