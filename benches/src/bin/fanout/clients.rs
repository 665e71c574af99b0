//! The other end: a process that holds many connections, reads all of them, and says when everyone has so many bytes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// A handle on the process, from the measuring side.
pub(crate) struct Clients {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Clients {
    /// Opens `count` connections, each with this request (`{}` is its number), and waits until each had its first bytes.
    pub(crate) fn start(address: SocketAddr, count: usize, request: &str) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["clients", &address.to_string(), &count.to_string(), request])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().context("no pipe")?;
        let stdout = BufReader::new(child.stdout.take().context("no pipe")?);
        let mut clients = Self { child, stdin, stdout };
        clients.line("ready")?;
        Ok(clients)
    }

    /// Announces that everyone will receive `bytes` more.
    pub(crate) fn expect(&mut self, bytes: usize) -> anyhow::Result<()> {
        writeln!(self.stdin, "{bytes}")?;
        self.line("expecting")
    }

    /// Waits until everyone has them.
    pub(crate) fn received(&mut self) -> anyhow::Result<()> {
        self.line("received")
    }

    fn line(&mut self, expected: &str) -> anyhow::Result<()> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        if line.trim() != expected {
            bail!("the clients said {line:?} instead of {expected:?}");
        }
        Ok(())
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop)) {
            eprintln!("the clients could not be stopped: {error}");
        }
    }
}

/// The process itself: `clients ADDRESS COUNT REQUEST`.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    crate::cpu::raise_open_files()?;
    let [address, count, request] = args else { bail!("usage: clients ADDRESS COUNT REQUEST") };
    let mut crowd = Crowd::connect(address.parse()?, count.parse()?, request)?;
    crowd.drain_until(1)?;
    crowd.settle()?;
    println!("ready");
    for line in io::stdin().lock().lines() {
        let bytes: usize = line?.trim().parse()?;
        crowd.received.fill(0);
        println!("expecting");
        crowd.drain_until(bytes)?;
        println!("received");
    }
    Ok(())
}

struct Crowd {
    poll: Poll,
    streams: Vec<TcpStream>,
    received: Vec<usize>,
}

impl Crowd {
    fn connect(address: SocketAddr, count: usize, request: &str) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let mut streams = Vec::with_capacity(count);
        for number in 0..count {
            let mut stream = std::net::TcpStream::connect(address)?;
            stream.write_all(request.replace("{}", &number.to_string()).as_bytes())?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
            streams.push(stream);
        }
        Ok(Self { poll, received: vec![0; streams.len()], streams })
    }

    /// Reads until each connection has at least `bytes` since the last reset.
    fn drain_until(&mut self, bytes: usize) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(4096);
        let mut buffer = vec![0; 256 << 10];
        let mut missing = self.received.iter().filter(|received| **received < bytes).count();
        while missing > 0 {
            self.poll.poll(&mut events, None)?;
            for event in &events {
                let number = event.token().0;
                let before = self.received[number];
                self.read(number, &mut buffer)?;
                if before < bytes && self.received[number] >= bytes {
                    missing -= 1;
                }
            }
        }
        Ok(())
    }

    /// Takes what still trickles in until nothing has for a while.
    fn settle(&mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(4096);
        let mut buffer = vec![0; 256 << 10];
        loop {
            self.poll.poll(&mut events, Some(std::time::Duration::from_millis(300)))?;
            if events.is_empty() {
                return Ok(());
            }
            for event in &events {
                self.read(event.token().0, &mut buffer)?;
            }
        }
    }

    fn read(&mut self, number: usize, buffer: &mut [u8]) -> anyhow::Result<()> {
        loop {
            match self.streams[number].read(buffer) {
                Ok(0) => bail!("connection {number} was closed"),
                Ok(count) => self.received[number] += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
