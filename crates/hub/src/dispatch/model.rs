//! The hand-over to a shard and to a body, in very many orders of the threads: the same source as the hub's, on primitives
//! that shuttle schedules.
//!
//! A sleeping shard is woken by nothing but its waker here, never by time, so a lost wake-up is a deadlock, which shuttle
//! reports. Weak memory orders are not modelled.

use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use petasos_protocol::{EventId, HubUrl, Matcher, Topic, Update};
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;

use super::{
    backlog, class, command, held, index, interest, metrics, poll, record, ring, slot, slots, wheel,
};
use crate::clock::Clock;
use crate::event::Event;
use crate::transport::{Seq, Stored};

mod sync {
    pub(super) use std::sync::PoisonError;

    pub(super) use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    pub(super) use shuttle::sync::{Mutex, MutexGuard};
}
#[expect(dead_code, reason = "no shard has these bodies")]
#[allow(clippy::duplicate_mod, reason = "that is the point: the same source on other primitives")]
#[path = "slot.rs"]
mod body;
#[expect(dead_code, reason = "the dispatcher balances by it, and there is none here")]
#[allow(clippy::duplicate_mod, reason = "that is the point: the same source on other primitives")]
#[path = "inbox.rs"]
mod inbox;
#[expect(dead_code, reason = "other tests look at it")]
#[allow(clippy::duplicate_mod, reason = "that is the point: the same source on other primitives")]
#[path = "shard.rs"]
mod shard;

use backlog::{BacklogLimits, Piece};
use command::{Attach, Command, ShardConfig, Target, turn_away};
use inbox::{Inbox, Wake};
use interest::Interest;
use metrics::Metrics;
use poll::{Poller, Ready, Socket};
use shard::Shard;

/// What reached the other end of a connection.
#[derive(Default)]
struct Wire {
    received: Vec<u8>,
    finished: bool,
    closed: bool,
}

type Shared = Arc<std::sync::Mutex<Wire>>;

struct Sink(Shared);

impl Socket for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().received.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().finished = true;
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.0.lock().unwrap().closed = true;
    }
}

/// Sleeps until it is woken, however short a time it was told. A wake-up lasts until the next look, as an eventfd's does.
#[derive(Clone, Default)]
struct Sleeper(Arc<(Mutex<bool>, Condvar)>);

impl Poller for Sleeper {
    type Socket = Sink;

    fn register(&mut self, _: &mut Sink, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn deregister(&mut self, _: &mut Sink) -> io::Result<()> {
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, _: &mut Vec<Ready>) -> io::Result<()> {
        let (woken, condvar) = &*self.0;
        let mut woken = woken.lock().unwrap();
        while !*woken && timeout != Some(Duration::ZERO) {
            woken = condvar.wait(woken).unwrap();
        }
        *woken = false;
        Ok(())
    }
}

impl Wake for Sleeper {
    fn wake(&self) -> io::Result<()> {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_one();
        Ok(())
    }
}

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn monotonic_ms(&self) -> u64 {
        0
    }

    fn unix_seconds(&self) -> u64 {
        0
    }
}

type Commands = Arc<Inbox<Command<Sink>>>;

/// A shard on a thread of its own; it ends when it is told to stop.
fn start() -> (Commands, thread::JoinHandle<()>) {
    let sleeper = Sleeper::default();
    let inbox = Arc::new(Inbox::new(sleeper.clone()));
    let hub = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
    let config = ShardConfig { hub, heartbeat: 0, limits: BacklogLimits::default() };
    let (metrics, clock) = (Arc::new(Metrics::default()), Arc::new(Still));
    let shard = Shard::new(config, clock, metrics, sleeper, Arc::clone(&inbox), Seq(0));
    (inbox, thread::spawn(move || shard.run()))
}

fn attach(inbox: &Commands, wire: &Shared, after: Option<Seq>) {
    let interest = Arc::new(Interest::new(vec![Matcher::any()], Arc::from([])));
    let target = Target::Socket(Sink(Arc::clone(wire)), None);
    let attach = Attach { interest, after, expires: None, first: Bytes::new(), target, guard: None };
    if let Err(Command::Attach(attach)) = inbox.push(Command::Attach(Box::new(attach))) {
        turn_away(*attach);
    }
}

fn tell(inbox: &Commands, command: Command<Sink>) {
    assert!(inbox.push(command).is_ok(), "the shard has ended");
}

fn stored(seq: u64) -> Stored {
    let update = Update::new(Topic::new("x").unwrap());
    let id = EventId::new(&format!("urn:{seq}")).unwrap();
    Stored { seq: Seq(seq), event: Arc::new(Event::new(id, &update)) }
}

fn frames(seqs: std::ops::RangeInclusive<u64>) -> Vec<u8> {
    seqs.flat_map(|seq| stored(seq).event.frame().to_vec()).collect()
}

/// Systematically while that ends in good time, then at random with few and with many switches.
fn explore(scenario: fn()) {
    shuttle::check_dfs(scenario, Some(3_000));
    shuttle::check_random(scenario, 3_000);
    shuttle::check_pct(scenario, 3_000, 4);
}

#[test]
fn a_command_is_seen_however_the_shard_falls_asleep() {
    explore(|| {
        let (inbox, shard) = start();
        let wire = Shared::default();
        attach(&inbox, &wire, None);
        let publisher = {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || (1..=2).for_each(|seq| tell(&inbox, Command::Deliver(stored(seq), 0))))
        };
        publisher.join().unwrap();
        tell(&inbox, Command::Stop);
        shard.join().unwrap();
        let wire = wire.lock().unwrap();
        assert_eq!((wire.received.clone(), wire.finished, wire.closed), (frames(1..=2), true, true));
    });
}

/// The transport's promise: appended and handed over under one lock.
fn append(history: &Mutex<Vec<Stored>>, inbox: &Commands) {
    let mut history = history.lock().unwrap();
    let next = stored(history.len() as u64 + 1);
    history.push(next.clone());
    tell(inbox, Command::Deliver(next, 0));
}

#[test]
fn rec_1_no_gap_and_no_duplicate_however_publishes_and_a_registration_meet() {
    explore(|| {
        let (inbox, shard) = start();
        let (history, wire) = (Arc::new(Mutex::new(Vec::new())), Shared::default());
        append(&history, &inbox);
        let publishers: Vec<_> = (0..2)
            .map(|_| {
                let (history, inbox) = (Arc::clone(&history), Arc::clone(&inbox));
                thread::spawn(move || (0..2).for_each(|_| append(&history, &inbox)))
            })
            .collect();
        // As a replay does: one event at a time, until there is none, then over to the shard.
        let mut after = Seq(0);
        loop {
            let next = history.lock().unwrap().get(after.0 as usize).cloned();
            let Some(next) = next else { break };
            wire.lock().unwrap().received.extend_from_slice(next.event.frame());
            after = next.seq;
        }
        attach(&inbox, &wire, Some(after));
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        tell(&inbox, Command::Stop);
        shard.join().unwrap();
        assert_eq!(wire.lock().unwrap().received, frames(1..=5));
    });
}

#[test]
fn a_registration_that_meets_the_stop_is_served_or_turned_away() {
    explore(|| {
        let (inbox, shard) = start();
        let wires: Vec<Shared> = (0..2).map(|_| Shared::default()).collect();
        let newcomers: Vec<_> = wires
            .iter()
            .map(|wire| {
                let (inbox, wire) = (Arc::clone(&inbox), Arc::clone(wire));
                thread::spawn(move || attach(&inbox, &wire, None))
            })
            .collect();
        tell(&inbox, Command::Stop);
        newcomers.into_iter().for_each(|newcomer| newcomer.join().unwrap());
        shard.join().unwrap();
        for wire in wires {
            let wire = wire.lock().unwrap();
            assert!(wire.finished && wire.closed, "a client was left hanging");
        }
    });
}

#[test]
fn a_body_misses_neither_a_frame_nor_its_end() {
    explore(|| {
        let slot = Arc::new(body::Slot::default());
        let pusher = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                for byte in [b"a", b"b", b"c"] {
                    slot.push(Piece::new(Bytes::from_static(byte)), &BacklogLimits::default()).unwrap();
                }
                slot.end(body::End::Behind);
            })
        };
        let mut received = Vec::new();
        let end = shuttle::future::block_on(std::future::poll_fn(|cx| {
            loop {
                match slot.poll(cx) {
                    Poll::Ready(Ok(bytes)) => received.extend_from_slice(&bytes),
                    Poll::Ready(Err(end)) => return Poll::Ready(end),
                    Poll::Pending => return Poll::Pending,
                }
            }
        }));
        pusher.join().unwrap();
        assert_eq!((received.as_slice(), end), (&b"abc"[..], body::End::Behind));
    });
}
