//! From one update to its subscribers.
//!
//! Goals: an update is framed once and costs each subscriber one write of shared bytes; matching costs per distinct
//! interest, not per subscriber; nobody slow or gone holds back anyone else.
//!
//! Each shard is a thread with its own subscribers and shares nothing with the others but its inbox and the counters.
//! The transport calls [`Dispatch::deliver`] in the order of the history; every shard gets every event.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

mod backlog;
pub use backlog::BacklogLimits;
mod class;
mod command;
pub(crate) use command::{Attach, Guard, Kept, ShardConfig, Target};
use command::{Command, turn_away};
mod exact;
mod held;
mod inbox;
use inbox::Inbox;
mod index;
mod interest;
pub(crate) use interest::Interest;
mod metrics;
pub use metrics::{Counter, Gauge, Histogram, Metrics};
#[cfg(test)]
mod model;
mod poll;
use poll::OsPoller;
mod record;
mod ring;
mod shard;
use shard::Shard;
mod slot;
pub(crate) use slot::{End, Slot};
mod slots;
mod sync;
#[cfg(test)]
mod tests;
mod wheel;

use crate::clock::Clock;
use crate::transport::{Follower, Seq, Stored};

/// The sockets that shards take over.
pub(crate) type SubscriberSocket = mio::net::TcpStream;

/// All shards of a hub.
pub(crate) struct Dispatch {
    inboxes: Box<[Arc<Inbox<Command<SubscriberSocket>>>]>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    turn: AtomicUsize,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl Dispatch {
    /// Starts `shards` threads, whose history begins after `floor`.
    ///
    /// # Errors
    /// If the system gives no poller or no thread.
    pub(crate) fn start(
        config: &ShardConfig,
        shards: usize,
        clock: &Arc<dyn Clock>,
        floor: Seq,
    ) -> io::Result<Self> {
        let metrics = Arc::new(Metrics::default());
        let mut inboxes = Vec::new();
        let mut threads = Vec::new();
        for number in 0..shards.max(1) {
            let (poller, waker) = OsPoller::new()?;
            let inbox = Arc::new(Inbox::new(waker));
            let shared = (Arc::clone(clock), Arc::clone(&metrics));
            let shard = Shard::new(config.clone(), shared.0, shared.1, poller, Arc::clone(&inbox), floor);
            let thread = std::thread::Builder::new().name(format!("petasos-shard-{number}"));
            threads.push(thread.spawn(move || shard.run())?);
            inboxes.push(inbox);
        }
        let (threads, turn, clock) = (Mutex::new(threads), AtomicUsize::new(0), Arc::clone(clock));
        Ok(Self { inboxes: inboxes.into(), threads, turn, clock, metrics })
    }

    /// Takes a subscription over. What is published after this call reaches it.
    pub(crate) fn attach(&self, attach: Attach<SubscriberSocket>) -> Attached {
        let shard = self.least_loaded();
        let inbox = &self.inboxes[shard];
        inbox.comes();
        if let Err(Command::Attach(attach)) = inbox.push(Command::Attach(Box::new(attach))) {
            inbox.goes();
            turn_away(*attach);
        }
        // There are never so many shards that the number is cut.
        Attached(u32::try_from(shard).unwrap_or(u32::MAX))
    }

    /// In turn among equals: clients that leave together must not leave one shard with all the work.
    fn least_loaded(&self) -> usize {
        let (count, first) = (self.inboxes.len(), self.turn.fetch_add(1, Ordering::Relaxed));
        let turns = (0..count).map(|step| first.wrapping_add(step) % count);
        turns.min_by_key(|shard| self.inboxes[*shard].load()).unwrap_or(0)
    }

    /// Says that the body of a slot is gone.
    pub(crate) fn detach(&self, attached: Attached, slot: Arc<Slot>) {
        self.tell(attached.0 as usize, Command::Detach(slot));
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Ends every subscription without waiting for it.
    pub(crate) fn leave(&self) {
        for shard in 0..self.inboxes.len() {
            self.tell(shard, Command::Stop);
        }
    }

    /// Ends the subscriptions over at most `within`: as many at a time as that takes, and at least a few.
    pub(crate) async fn drain(&self, within: Duration) {
        let subscribers = &self.metrics.subscribers;
        let steps = u64::try_from(within.as_millis() / STEP.as_millis()).unwrap_or(u64::MAX);
        let at_once = subscribers.value().div_ceil(steps.max(1)).max(LEAST_AT_ONCE);
        let share = usize::try_from(at_once).unwrap_or(usize::MAX).div_ceil(self.inboxes.len());
        for _ in 0..=steps {
            if subscribers.value() == 0 {
                return;
            }
            for shard in 0..self.inboxes.len() {
                self.tell(shard, Command::Release(share));
            }
            tokio::time::sleep(STEP).await;
        }
    }

    fn tell(&self, shard: usize, command: Command<SubscriberSocket>) {
        if self.inboxes[shard].push(command).is_err() {
            tracing::debug!(shard, "a dispatch shard has ended already");
        }
    }

    /// Ends every subscription and waits for the threads. Blocks for as long as a shard needs to finish its round.
    pub(crate) fn stop(&self) {
        self.leave();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a dispatch shard ended by a panic");
            }
        }
    }
}

/// The shard that has a subscription.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attached(u32);

impl Follower for Dispatch {
    fn deliver(&self, stored: Stored) {
        self.metrics.accepted_total.add(1);
        let since = self.clock.monotonic_us();
        for inbox in &self.inboxes {
            if inbox.push(Command::Deliver(stored.clone(), since)).is_err() {
                tracing::debug!(seq = %stored.seq, "an update found no subscribers: the hub is stopping");
            }
        }
    }
}

/// How often a batch of subscriptions is ended while the hub drains, and how many at least.
const STEP: Duration = Duration::from_millis(50);
const LEAST_AT_ONCE: u64 = 50;
