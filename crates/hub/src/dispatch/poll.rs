//! The seam to the operating system: sockets and their readiness. Tests script both.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::{Events, Interest, Poll};

/// A subscriber's connection as a shard uses it; never blocks.
pub(crate) trait Socket: Send + 'static {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize>;

    /// Says that nothing more will be sent, so that what is queued in the kernel still arrives.
    fn finish(&mut self) -> io::Result<()>;
}

/// What happened to a socket since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) token: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The peer will send nothing more; it may still read.
    pub(crate) half_closed: bool,
    pub(crate) closed: bool,
}

/// Watches sockets, edge by edge.
pub(crate) trait Poller: Send + 'static {
    type Socket: Socket;

    fn register(&mut self, socket: &mut Self::Socket, token: u64) -> io::Result<()>;

    fn deregister(&mut self, socket: &mut Self::Socket) -> io::Result<()>;

    /// Waits for readiness or a wake-up, at most for `timeout`.
    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()>;
}

impl Socket for mio::net::TcpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Read::read(self, into)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// The operating system's poller.
pub(crate) struct OsPoller {
    poll: Poll,
    events: Events,
}

impl OsPoller {
    pub(crate) fn new() -> io::Result<(Self, mio::Waker)> {
        let poll = Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKER)?;
        Ok((Self { poll, events: Events::with_capacity(1024) }, waker))
    }
}

impl Poller for OsPoller {
    type Socket = mio::net::TcpStream;

    fn register(&mut self, socket: &mut Self::Socket, token: u64) -> io::Result<()> {
        let token = mio::Token(usize::try_from(token).map_err(io::Error::other)?);
        self.poll.registry().register(socket, token, Interest::READABLE | Interest::WRITABLE)
    }

    fn deregister(&mut self, socket: &mut Self::Socket) -> io::Result<()> {
        self.poll.registry().deregister(socket)
    }

    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in self.events.iter().filter(|event| event.token() != WAKER) {
            ready.push(Ready {
                token: event.token().0 as u64,
                readable: event.is_readable(),
                writable: event.is_writable(),
                half_closed: event.is_read_closed(),
                closed: event.is_error() || (event.is_read_closed() && event.is_write_closed()),
            });
        }
        Ok(())
    }
}

/// No subscriber has it: generations leave the top bit free.
const WAKER: mio::Token = mio::Token(usize::MAX);
