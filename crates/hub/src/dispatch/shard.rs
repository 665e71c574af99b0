//! One dispatch thread with its own subscribers.
//!
//! Invariants:
//! - commands are applied in the order of the inbox, so each subscriber sees events in the order of the history;
//! - a subscriber is in exactly one class, and gets the frames of that class in order: what waits in its backlog goes first;
//! - while a class is being walked nobody leaves it: whoever must go is `doomed` and leaves at the next safe point.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use petasos_protocol::{HubUrl, sse};
use tokio::sync::oneshot;

use super::backlog::{BacklogLimits, Cut, join};
use super::class::Classes;
use super::inbox::Inbox;
use super::index::ClassId;
use super::interest::Interest;
use super::metrics::Metrics;
use super::poll::{Poller, Ready, Socket};
use super::record::{Link, Record, part, second};
use super::ring::Ring;
use super::slot::{End, Slot};
use super::slots::{Slots, Token};
use super::wheel::Wheel;
use crate::clock::Clock;
use crate::transport::{Seq, Stored};

/// What a shard is told.
pub(crate) enum Command<S> {
    Deliver(Stored),
    Attach(Box<Attach<S>>),
    /// The body of this slot was dropped.
    Detach(Arc<Slot>),
    /// End so many subscriptions, and tell their clients when to come back.
    Release(usize),
    /// Close everyone and end.
    Stop,
}

/// A subscription that goes live.
pub(crate) struct Attach<S> {
    pub(crate) interest: Arc<Interest>,
    /// Everything up to here was sent; `None` means that only what comes from now on counts.
    pub(crate) after: Option<Seq>,
    /// Second (of the monotonic clock) at which it ends.
    pub(crate) expires: Option<u64>,
    /// What goes out before the first event.
    pub(crate) first: Bytes,
    pub(crate) target: Target<S>,
    pub(crate) guard: Guard,
}

/// Dropped when the subscription ends, whatever ends it.
pub(crate) type Guard = Option<Box<dyn std::any::Any + Send + Sync>>;

/// Where the bytes of a subscription go.
pub(crate) enum Target<S> {
    /// A socket that is ours now. If the shard no longer has what the subscriber lacks it goes back through the sender.
    Socket(S, Option<oneshot::Sender<(S, Guard)>>),
    /// A body that hyper polls.
    Slot(Arc<Slot>),
}

/// What a shard is made with.
#[derive(Clone)]
pub(crate) struct ShardConfig {
    pub(crate) hub: HubUrl,
    /// Seconds of silence after which a comment is sent; 0 means never.
    pub(crate) heartbeat: u64,
    pub(crate) limits: BacklogLimits,
}

pub(crate) struct Shard<P: Poller> {
    config: ShardConfig,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    poller: P,
    inbox: Arc<Inbox<Command<P::Socket>>>,
    records: Slots<Record<P::Socket>>,
    classes: Classes,
    ring: Ring,
    wheel: Wheel,
    /// Those with a backlog, looked at each second.
    waiting: Vec<Token>,
    doomed: Vec<(Token, Cut)>,
    ready: Vec<Ready>,
    /// How many classes of this shard the metrics know of.
    counted: u64,
    stopped: bool,
}

impl<P: Poller> Shard<P> {
    pub(crate) fn new(
        config: ShardConfig,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        poller: P,
        inbox: Arc<Inbox<Command<P::Socket>>>,
        floor: Seq,
    ) -> Self {
        let wheel = Wheel::new(clock.monotonic_ms() / 1000);
        let classes = Classes::new(config.hub.clone());
        let (records, waiting, doomed, ready) = (Slots::new(), Vec::new(), Vec::new(), Vec::new());
        let ring = Ring::new(floor);
        Self {
            config,
            clock,
            metrics,
            poller,
            inbox,
            records,
            classes,
            ring,
            wheel,
            waiting,
            doomed,
            ready,
            counted: 0,
            stopped: false,
        }
    }

    /// Works until it is told to stop.
    pub(crate) fn run(mut self) {
        let mut commands = Vec::new();
        while !self.stopped {
            self.turn(&mut commands);
        }
        for command in self.inbox.close() {
            if let Command::Attach(attach) = command {
                turn_away(*attach);
            }
        }
    }

    /// Does everything there is to do, then sleeps until there is something.
    pub(crate) fn turn(&mut self, commands: &mut Vec<Command<P::Socket>>) {
        self.inbox.take(commands);
        self.apply(commands);
        self.tick();
        self.bury();
        if self.stopped {
            return;
        }
        let timeout = if self.inbox.park() { self.idle_time() } else { Some(Duration::ZERO) };
        self.poll(timeout);
        self.inbox.unpark();
        self.bury();
    }

    /// Applies commands; deliveries that stand side by side are joined into one write per subscriber.
    fn apply(&mut self, commands: &mut Vec<Command<P::Socket>>) {
        let mut touched = Vec::new();
        let mut joined = 0;
        for command in commands.drain(..) {
            if let Command::Deliver(stored) = command {
                self.metrics.updates_total.add(1);
                joined += stored.event.frame().len();
                self.classes.queue(&stored.event, &mut touched);
                self.ring.push(stored);
                if joined >= MAX_JOINED {
                    self.flush(&mut touched);
                    joined = 0;
                }
                continue;
            }
            self.flush(&mut touched);
            match command {
                Command::Deliver(_) => {}
                Command::Attach(attach) if self.stopped => turn_away(*attach),
                Command::Attach(attach) => self.attach(*attach),
                Command::Detach(slot) => self.doomed.extend(slot.token().map(|token| (token, Cut::Gone))),
                Command::Release(count) => self.release(count),
                Command::Stop => self.stop(),
            }
            self.bury();
        }
        self.flush(&mut touched);
    }

    fn flush(&mut self, touched: &mut Vec<ClassId>) {
        for class in touched.drain(..) {
            let (frames, members) = self.classes.take_pending(class);
            let Some(bytes) = join(&frames) else { continue };
            let count = frames.len() as u64;
            self.metrics.deliveries_total.add(count * members as u64);
            if count > 1 {
                self.metrics.joined_total.add(count * members as u64);
            }
            for position in 0..members {
                let Some(member) = self.classes.member(class, position) else { break };
                self.send(member, &bytes);
                if position % SENDS_PER_LOOK == SENDS_PER_LOOK - 1 {
                    self.poll(Some(Duration::ZERO));
                }
            }
        }
        self.bury();
    }

    fn send(&mut self, member: u32, bytes: &Bytes) {
        let Some((token, record)) = self.records.by_index(member) else { return };
        let now = self.clock.monotonic_ms();
        let was_waiting = record.stalled_since != 0;
        match record.send(bytes, &self.config.limits, now) {
            Ok(()) if record.stalled_since != 0 && !was_waiting => self.waiting.push(token),
            Ok(()) => {}
            Err(cut) => self.doomed.push((token, cut)),
        }
    }

    fn attach(&mut self, attach: Attach<P::Socket>) {
        let missed = match attach.after {
            None => Vec::new(),
            Some(after) => match self.missed(after, &attach.interest) {
                Some(missed) => missed,
                None => return refuse(attach),
            },
        };
        let now = self.clock.monotonic_ms() / 1000;
        let Some(token) = self.admit(attach.target, attach.expires, attach.guard, now) else { return };
        let Some((class, position)) = self.classes.join(&attach.interest, token.index()) else {
            self.records.remove(token);
            return;
        };
        if let Some(record) = self.records.by_token(token) {
            (record.class, record.position) = (class, position);
        }
        self.metrics.subscribers.add(1);
        self.metrics.subscribers_total.add(1);
        self.count_classes();
        self.schedule(token, now);
        let first = [attach.first].into_iter().chain(missed).filter(|piece| !piece.is_empty());
        if let Some(bytes) = join(&first.collect::<Vec<_>>()) {
            self.send(token.index(), &bytes);
        }
    }

    /// What the subscriber lacks, or `None` if the ring no longer has all of it.
    fn missed(&self, after: Seq, interest: &Interest) -> Option<Vec<Bytes>> {
        let missed = self.ring.after(after)?.map(|stored| &stored.event);
        Some(
            missed
                .filter(|event| interest.admits(event, &self.config.hub))
                .map(|event| event.frame().clone())
                .collect(),
        )
    }

    fn admit(
        &mut self,
        target: Target<P::Socket>,
        expires: Option<u64>,
        guard: Guard,
        now: u64,
    ) -> Option<Token> {
        let target = match target {
            Target::Socket(socket, _) => Link::Socket(socket),
            Target::Slot(slot) => Link::Slot(slot),
        };
        let record = Record::new(target, second(now), expires.map_or(0, |at| second(at).max(1)), guard);
        let token = self.records.insert(record)?;
        match &mut self.records.by_token(token)?.target {
            Link::Slot(slot) => slot.attach(token),
            Link::Socket(socket) => {
                if let Err(error) = self.poller.register(socket, token.as_u64()) {
                    tracing::warn!(%error, "cannot watch a subscriber's connection; closing it");
                    self.records.remove(token);
                    return None;
                }
            }
        }
        Some(token)
    }

    /// Looks for readiness. Changes no class: whoever is gone is only doomed.
    fn poll(&mut self, timeout: Option<Duration>) {
        let mut ready = std::mem::take(&mut self.ready);
        if let Err(error) = self.poller.wait(timeout, &mut ready) {
            tracing::error!(%error, "cannot wait for subscribers");
        }
        let now = self.clock.monotonic_ms();
        for event in ready.drain(..) {
            let token = Token::from_u64(event.token);
            let Some(record) = self.records.by_token(token) else { continue };
            if let Err(cut) = record.handle(event, now) {
                self.doomed.push((token, cut));
            }
        }
        self.ready = ready;
    }

    /// Visits whoever asked to be visited by now.
    fn tick(&mut self) {
        let now_ms = self.clock.monotonic_ms();
        let now = now_ms / 1000;
        let mut due = Vec::new();
        self.wheel.advance(now, &mut due);
        if due.is_empty() {
            self.watch_waiting(now_ms);
            return;
        }
        let heartbeat = Bytes::from_static(sse::HEARTBEAT);
        for token in due {
            let Some(record) = self.records.by_token(token) else { continue };
            if record.expires != 0 && record.expires <= second(now) {
                self.doomed.push((token, Cut::Expired));
                continue;
            }
            let silent = second(now).wrapping_sub(record.written);
            if self.config.heartbeat != 0 && u64::from(silent) >= self.config.heartbeat {
                self.send(token.index(), &heartbeat);
            }
            self.schedule(token, now);
        }
        self.watch_waiting(now_ms);
    }

    fn watch_waiting(&mut self, now_ms: u64) {
        let (records, doomed, limits) = (&mut self.records, &mut self.doomed, &self.config.limits);
        self.waiting.retain(|token| {
            let Some(record) = records.by_token(*token) else { return false };
            if record.is_drained() {
                record.stalled_since = 0;
                return false;
            }
            if now_ms.saturating_sub(record.stalled_since) >= limits.max_stall_ms {
                doomed.push((*token, Cut::Stalled));
            }
            true
        });
    }

    fn schedule(&mut self, token: Token, now: u64) {
        let Some(record) = self.records.by_token(token) else { return };
        let beat = match self.config.heartbeat {
            0 => u64::MAX,
            period => now + period.saturating_sub(u64::from(second(now).wrapping_sub(record.written))),
        };
        let end = match record.expires {
            0 => u64::MAX,
            at => now + u64::from(at.saturating_sub(second(now))),
        };
        self.wheel.schedule(token, beat.min(end));
    }

    /// Lets the doomed go. The one place where a subscriber leaves.
    fn bury(&mut self) {
        while let Some((token, cut)) = self.doomed.pop() {
            let Some(mut record) = self.records.remove(token) else { continue };
            if let Some(moved) = self.classes.leave(record.class, record.position)
                && let Some((_, other)) = self.records.by_index(moved)
            {
                other.position = record.position;
            }
            self.metrics.subscribers.subtract(1);
            self.metrics.cut(cut);
            match &mut record.target {
                Link::Slot(slot) => slot.end(End::Cut(cut)),
                Link::Socket(socket) => {
                    part(socket, cut);
                    if let Err(error) = self.poller.deregister(socket) {
                        tracing::debug!(%error, "a closed connection was not being watched");
                    }
                }
            }
            self.count_classes();
        }
    }

    fn count_classes(&mut self) {
        let now = self.classes.len() as u64;
        self.metrics.classes.add(now.saturating_sub(self.counted));
        self.metrics.classes.subtract(self.counted.saturating_sub(now));
        self.counted = now;
    }

    /// Those who are asked to come back are asked to do so at different times.
    fn release(&mut self, count: usize) {
        for token in self.records.tokens().into_iter().take(count) {
            let pause = LEAST_PAUSE_MS + token.index().wrapping_mul(PAUSE_STEP_MS) % PAUSES_MS;
            self.send(token.index(), &Bytes::from(format!("retry: {pause}\n\n")));
            self.doomed.push((token, Cut::Stopped));
        }
    }

    fn stop(&mut self) {
        self.doomed.extend(self.records.tokens().into_iter().map(|token| (token, Cut::Stopped)));
        self.stopped = true;
    }

    fn idle_time(&self) -> Option<Duration> {
        if self.records.len() == 0 {
            return None;
        }
        Some(Duration::from_millis(1000 - self.clock.monotonic_ms() % 1000))
    }
}

/// Ends a subscription that comes too late: the hub is stopping.
pub(crate) fn turn_away<S: Socket>(attach: Attach<S>) {
    match attach.target {
        Target::Slot(slot) => slot.end(End::Cut(Cut::Stopped)),
        Target::Socket(mut socket, _) => part(&mut socket, Cut::Stopped),
    }
}

/// Gives a subscription back that lacks more than the shard remembers.
fn refuse<S: Socket>(attach: Attach<S>) {
    match attach.target {
        Target::Slot(slot) => slot.end(End::Behind),
        Target::Socket(socket, Some(back)) => {
            if back.send((socket, attach.guard)).is_err() {
                tracing::debug!("nobody waits any more for a subscription that must read the history");
            }
        }
        Target::Socket(mut socket, None) => part(&mut socket, Cut::Stopped),
    }
}

/// What released clients are told to wait: between half a second and two.
const LEAST_PAUSE_MS: u32 = 500;
const PAUSES_MS: u32 = 1500;
/// Prime to the number of pauses, so that neighbours get different ones.
const PAUSE_STEP_MS: u32 = 997;

/// Joined writes end here; a larger one gains nothing and holds back the others.
const MAX_JOINED: usize = 1 << 20;

/// How many subscribers are served between two looks at the sockets.
const SENDS_PER_LOOK: usize = 512;
