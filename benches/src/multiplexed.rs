//! A process that holds very many subscriptions over few HTTP/2 connections.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use mio::{Events, Interest, Poll, Token};

use crate::child::{Child, listen};
use crate::frames::Connection;
use crate::machine;

/// Such a process.
#[derive(Debug)]
pub struct Multiplexed {
    child: Child,
    /// How long it took until every stream was answered.
    pub opened_in: Duration,
}

impl Multiplexed {
    /// Opens connections with so many streams each, and waits until each stream was answered.
    ///
    /// # Errors
    /// If one of them is refused.
    pub fn start(
        address: SocketAddr,
        connections: usize,
        streams: usize,
        path: &str,
    ) -> anyhow::Result<Self> {
        let (address, connections) = (address.to_string(), connections.to_string());
        let args = ["child", "multiplexed", &address, &connections, &streams.to_string(), path];
        let mut child = Child::start(&args)?;
        let opened_in = Duration::from_nanos(child.hear("opened")?.parse()?);
        Ok(Self { child, opened_in })
    }

    /// Announces that every stream will receive `bytes` more.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn expect(&mut self, bytes: usize) -> anyhow::Result<()> {
        self.child.ask(&format!("expect {bytes}"), "expecting").map(drop)
    }

    /// Waits until every stream has them.
    ///
    /// # Errors
    /// If a stream ends meanwhile.
    pub fn received(&mut self) -> anyhow::Result<()> {
        self.child.ask("wait", "received").map(drop)
    }
}

/// The process itself: `multiplexed ADDRESS CONNECTIONS STREAMS PATH`.
///
/// # Errors
/// What goes wrong.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    machine::raise_open_files()?;
    let [address, connections, streams, path] = args else {
        bail!("multiplexed ADDRESS CONNECTIONS STREAMS PATH")
    };
    let streams: usize = streams.parse()?;
    let mut crowd = Crowd::new()?;
    let before = machine::now();
    crowd.open(address.parse()?, path, connections.parse()?, streams)?;
    println!("opened {}", (machine::now() - before).as_nanos());
    let mut bytes = 0;
    listen(|line| {
        if let Some(expected) = line.strip_prefix("expect ") {
            bytes = expected.parse::<usize>()? * streams;
            crowd.connections.iter_mut().for_each(|connection| connection.received = 0);
            return Ok("expecting".to_owned());
        }
        crowd.read_until(0, |connection| connection.received >= bytes)?;
        Ok("received".to_owned())
    })
}

struct Crowd {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    connections: Vec<Connection>,
}

impl Crowd {
    fn new() -> anyhow::Result<Self> {
        let (events, buffer) = (Events::with_capacity(4096), vec![0; 256 << 10]);
        Ok(Self { poll: Poll::new()?, events, buffer, connections: Vec::new() })
    }

    /// A few connections at a time.
    fn open(
        &mut self,
        address: SocketAddr,
        path: &str,
        connections: usize,
        streams: usize,
    ) -> anyhow::Result<()> {
        while self.connections.len() < connections {
            let first = self.connections.len();
            for number in first..connections.min(first + AT_A_TIME) {
                let path = path.replace("{}", &number.to_string());
                let mut connection = Connection::open(address, &path, u32::try_from(streams)?)?;
                self.poll.registry().register(&mut connection.stream, Token(number), Interest::READABLE)?;
                self.connections.push(connection);
            }
            self.read_until(first, |connection| {
                connection.answered >= streams && connection.received >= streams * COMMENT
            })?;
        }
        Ok(())
    }

    /// Reads until the connections from `first` on are `done`.
    fn read_until(&mut self, first: usize, done: impl Fn(&Connection) -> bool) -> anyhow::Result<()> {
        let mut missing = self.connections[first..].iter().filter(|connection| !done(connection)).count();
        while missing > 0 {
            self.poll.poll(&mut self.events, None)?;
            for event in &self.events {
                let number = event.token().0;
                let connection = self.connections.get_mut(number).context("a number")?;
                let was_done = done(connection);
                connection.read(&mut self.buffer)?;
                if number >= first && !was_done && done(connection) {
                    missing -= 1;
                }
            }
        }
        Ok(())
    }
}

const AT_A_TIME: usize = 32;

/// What every stream begins with.
const COMMENT: usize = ":\n\n".len();
