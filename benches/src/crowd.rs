//! The other end: many connections, all of them read, and when everyone has so many bytes.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::child::{Child, listen};
use crate::machine;

/// A process that is such a crowd.
#[derive(Debug)]
pub struct Clients {
    child: Child,
    /// How long it took until everyone was answered.
    pub opened_in: Duration,
}

/// When a crowd had what it was to get, on the clock that all processes share.
#[derive(Clone, Copy, Debug)]
pub struct Arrivals {
    /// Half of them had it then.
    pub half: Duration,
    /// All but one in a hundred had it then.
    pub p99: Duration,
}

impl Clients {
    /// Opens `count` connections, each with this request (`{}` is its number), and waits until each was answered.
    ///
    /// # Errors
    /// If one of them is refused.
    pub fn start(address: SocketAddr, count: usize, request: &str) -> anyhow::Result<Self> {
        Self::with_tokens(address, count, request, "-")
    }

    /// The same; `{token}` is a line of this file.
    ///
    /// # Errors
    /// If one of them is refused.
    pub fn with_tokens(
        address: SocketAddr,
        count: usize,
        request: &str,
        tokens: &str,
    ) -> anyhow::Result<Self> {
        let args = ["child", "crowd", &address.to_string(), &count.to_string(), request, tokens];
        let mut child = Child::start(&args)?;
        let opened_in = Duration::from_nanos(child.hear("opened")?.parse()?);
        Ok(Self { child, opened_in })
    }

    /// Announces that everyone will receive `bytes` more.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn expect(&mut self, bytes: usize) -> anyhow::Result<()> {
        self.child.ask(&format!("expect {bytes}"), "expecting").map(drop)
    }

    /// Waits until everyone has them.
    ///
    /// # Errors
    /// If a connection is closed meanwhile.
    pub fn received(&mut self) -> anyhow::Result<Arrivals> {
        let said = self.child.ask("wait", "received")?;
        let mut numbers = said.split(' ').map(str::parse);
        let mut next = || Ok::<_, anyhow::Error>(Duration::from_nanos(numbers.next().context("a number")??));
        Ok(Arrivals { half: next()?, p99: next()? })
    }
}

/// The process itself: `crowd ADDRESS COUNT REQUEST TOKENS`.
///
/// # Errors
/// What goes wrong.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    machine::raise_open_files()?;
    let [address, count, request, tokens] = args else { bail!("crowd ADDRESS COUNT REQUEST TOKENS") };
    let tokens = if tokens == "-" { String::new() } else { std::fs::read_to_string(tokens)? };
    let tokens: Vec<&str> = tokens.lines().collect();
    let fill = |number: usize| {
        let token = tokens.get(number % tokens.len().max(1)).copied().unwrap_or_default();
        request.replace("{}", &number.to_string()).replace("{token}", token)
    };
    let count: usize = count.parse()?;
    let requests: Vec<String> = (0..count).map(fill).collect();
    let mut crowd = Crowd::new()?;
    let before = machine::now();
    crowd.open(address.parse()?, &requests)?;
    println!("opened {}", (machine::now() - before).as_nanos());
    drop(requests);
    crowd.settle()?;
    let mut bytes = 0;
    listen(|line| {
        if let Some(expected) = line.strip_prefix("expect ") {
            bytes = expected.parse()?;
            crowd.forget();
            return Ok("expecting".to_owned());
        }
        let arrivals = crowd.drain_until(bytes)?;
        Ok(format!("received {} {}", arrivals.half.as_nanos(), arrivals.p99.as_nanos()))
    })
}

/// Connections that are all read.
#[derive(Debug)]
pub struct Crowd {
    poll: Poll,
    events: Events,
    buffer: Box<[u8]>,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    stream: TcpStream,
    received: usize,
    /// When it had received what was waited for.
    at: Duration,
}

impl Crowd {
    /// Nobody yet.
    ///
    /// # Errors
    /// If the system gives no poller.
    pub fn new() -> anyhow::Result<Self> {
        let (events, buffer) = (Events::with_capacity(4096), vec![0; 256 << 10].into());
        Ok(Self { poll: Poll::new()?, events, buffer, members: Vec::new() })
    }

    /// Opens a connection per request and waits until each was answered; no more than a few hundred are unanswered at a time.
    ///
    /// # Errors
    /// If one of them is refused.
    pub fn open(&mut self, address: SocketAddr, requests: &[String]) -> anyhow::Result<()> {
        let first = self.members.len();
        let mut answered = first;
        for request in requests {
            self.connect(address, request)?;
            while self.members.len() - answered >= UNANSWERED {
                answered += self.read_ready(None, 1)?;
            }
        }
        while answered < self.members.len() {
            answered += self.read_ready(None, 1)?;
        }
        Ok(())
    }

    fn connect(&mut self, address: SocketAddr, request: &str) -> anyhow::Result<()> {
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.write_all(request.as_bytes())?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        self.poll.registry().register(&mut stream, Token(self.members.len()), Interest::READABLE)?;
        self.members.push(Member { stream, received: 0, at: Duration::ZERO });
        Ok(())
    }

    /// Closes the newest `count` connections.
    pub fn close(&mut self, count: usize) {
        self.members.truncate(self.members.len().saturating_sub(count));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// What was received so far counts no more.
    pub fn forget(&mut self) {
        self.members.iter_mut().for_each(|member| member.received = 0);
    }

    /// Reads until each connection has at least `bytes` since they were last forgotten.
    ///
    /// # Errors
    /// If a connection is closed.
    pub fn drain_until(&mut self, bytes: usize) -> anyhow::Result<Arrivals> {
        let mut missing = self.members.iter().filter(|member| member.received < bytes).count();
        while missing > 0 {
            missing -= self.read_ready(None, bytes)?;
        }
        let mut times: Vec<Duration> = self.members.iter().map(|member| member.at).collect();
        times.sort_unstable();
        let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
        Ok(Arrivals { half: at(50), p99: at(99) })
    }

    /// Takes what still trickles in until nothing has for a while.
    ///
    /// # Errors
    /// If a connection is closed.
    pub fn settle(&mut self) -> anyhow::Result<()> {
        loop {
            self.read_ready(Some(Duration::from_millis(300)), usize::MAX)?;
            if self.events.is_empty() {
                return Ok(());
            }
        }
    }

    /// Reads what is there; how many thereby came to have `bytes`.
    fn read_ready(&mut self, patience: Option<Duration>, bytes: usize) -> anyhow::Result<usize> {
        self.poll.poll(&mut self.events, patience)?;
        let mut reached = 0;
        for event in &self.events {
            let number = event.token().0;
            // One that was closed may have been reported already.
            let Some(member) = self.members.get_mut(number) else { continue };
            let before = member.received;
            member.read(&mut self.buffer).with_context(|| format!("connection {number}"))?;
            if before < bytes && member.received >= bytes {
                member.at = machine::now();
                reached += 1;
            }
        }
        Ok(reached)
    }
}

impl Member {
    fn read(&mut self, buffer: &mut [u8]) -> anyhow::Result<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("it was closed"),
                Ok(count) => self.received += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Fewer than a listener may have in its queue, so that no SYN is dropped.
const UNANSWERED: usize = 512;
