//! One dispatch thread with its own subscribers.
//!
//! Invariants:
//! - commands are applied in the order of the inbox, so each subscriber sees events in the order of the history;
//! - a subscriber is in exactly one class, and gets the frames of that class in order: what waits in its backlog goes first;
//! - while a class is being walked nobody leaves it: whoever must go is `doomed` and leaves at the next safe point.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use petasos_protocol::sse;

use super::backlog::{Cut, Piece, join};
use super::class::{Classes, Pending};
use super::command::{Attach, Command, Guard, ShardConfig, Target, refuse, turn_away};
use super::held::Held;
use super::inbox::Inbox;
use super::index::ClassId;
use super::interest::Interest;
use super::metrics::Metrics;
use super::poll::{Poller, Ready};
use super::record::{Link, Record, part, second};
use super::ring::Ring;
use super::slot::End;
use super::slots::{Slots, Token};
use super::wheel::Wheel;
use crate::clock::Clock;
use crate::transport::Seq;

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
    /// The second of the last look at them.
    watched: u64,
    held: Held,
    doomed: Vec<(Token, Cut)>,
    /// Those whose turn to be released has not come yet, and some who are gone.
    leaving: Vec<Token>,
    ready: Vec<Ready>,
    /// How many classes of this shard, and how many bytes of backlog, the metrics know of.
    counted: (u64, u64),
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
            watched: 0,
            held: Held::default(),
            doomed,
            leaving: Vec::new(),
            ready,
            counted: (0, 0),
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
        let mut batch = Batch::default();
        for command in commands.drain(..) {
            if let Command::Deliver(stored, since) = command {
                self.metrics.updates_total.add(1);
                batch.since.get_or_insert(since);
                batch.bytes += stored.event.frame().len();
                self.classes.queue(&stored.event);
                self.ring.push(stored);
                if batch.bytes >= MAX_JOINED {
                    self.flush(&mut batch);
                }
                continue;
            }
            self.flush(&mut batch);
            match command {
                Command::Deliver(..) => {}
                Command::Attach(attach) if self.stopped => turn_away(*attach),
                Command::Attach(attach) => self.attach(*attach),
                Command::Detach(slot) => self.doomed.extend(slot.token().map(|token| (token, Cut::Gone))),
                Command::Release(count) => self.release(count),
                Command::Stop => self.stop(),
            }
            self.bury();
        }
        self.flush(&mut batch);
    }

    fn flush(&mut self, batch: &mut Batch) {
        batch.bytes = 0;
        let Some(since) = batch.since.take() else { return };
        for Pending { class, frames } in self.classes.take_pending() {
            let Some(bytes) = join(&frames) else { continue };
            let (count, members) = (frames.len() as u64, self.classes.size(class));
            self.metrics.deliveries_total.add(count * members as u64);
            if count > 1 {
                self.metrics.joined_total.add(count * members as u64);
            }
            self.send_to_class(class, members, &Piece::new(bytes));
            self.relieve();
        }
        self.bury();
        self.metrics.fanout.observe(self.clock.monotonic_us().saturating_sub(since));
    }

    fn send_to_class(&mut self, class: ClassId, members: usize, piece: &Piece) {
        let mut now = self.clock.monotonic_ms();
        let mut queued = false;
        for position in 0..members {
            let Some(member) = self.classes.member(class, position) else { break };
            queued |= self.send(member, piece, now);
            if position % SENDS_PER_LOOK == SENDS_PER_LOOK - 1 {
                self.poll(Some(Duration::ZERO));
                now = self.clock.monotonic_ms();
            }
        }
        if queued {
            self.held.add(piece);
        }
    }

    /// Sends to one subscriber; whether some of it has to wait.
    fn send(&mut self, member: u32, piece: &Piece, now_ms: u64) -> bool {
        let Some((token, record)) = self.records.by_index(member) else { return false };
        if let Err(cut) = record.send(piece, &self.config.limits, now_ms) {
            self.doomed.push((token, cut));
            return false;
        }
        let waits = record.waits();
        if waits && !record.listed {
            record.listed = true;
            self.waiting.push(token);
        }
        waits
    }

    /// Cuts those off that have most waiting while all backlogs together pin too much.
    fn relieve(&mut self) {
        if self.held.bytes() <= self.config.limits.max_total {
            return;
        }
        self.held.sweep();
        let records = &mut self.records;
        let mut by_size: Vec<(usize, Token)> = self
            .waiting
            .iter()
            .filter_map(|token| Some((records.by_token(*token)?.pending(), *token)))
            .filter(|(pending, _)| *pending > 0)
            .collect();
        by_size.sort_unstable_by_key(|(pending, _)| *pending);
        while self.held.bytes() > self.config.limits.max_total && !by_size.is_empty() {
            let rest = by_size.len() - by_size.len().div_ceil(8);
            self.doomed.extend(by_size.drain(rest..).map(|(_, token)| (token, Cut::Budget)));
            self.bury();
            self.held.sweep();
        }
    }

    fn attach(&mut self, attach: Attach<P::Socket>) {
        let missed = match attach.after {
            None => Vec::new(),
            Some(after) => match self.missed(after, &attach.interest) {
                Some(missed) => missed,
                None => {
                    self.inbox.goes();
                    return refuse(attach);
                }
            },
        };
        let now_ms = self.clock.monotonic_ms();
        let now = now_ms / 1000;
        let Some(token) = self.admit(attach.target, attach.expires, attach.guard, now) else {
            self.inbox.goes();
            return;
        };
        let Some((class, position)) = self.classes.join(&attach.interest, token.index()) else {
            self.records.remove(token);
            self.inbox.goes();
            return;
        };
        if let Some(record) = self.records.by_token(token) {
            (record.class, record.position) = (class, position);
        }
        self.metrics.subscribers.add(1);
        self.metrics.subscribers_total.add(1);
        self.count();
        self.schedule(token, now);
        let first = [attach.first].into_iter().chain(missed).filter(|piece| !piece.is_empty());
        if let Some(piece) = join(&first.collect::<Vec<_>>()).map(Piece::new)
            && self.send(token.index(), &piece, now_ms)
        {
            self.held.add(&piece);
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
        let heartbeat = Piece::new(Bytes::from_static(sse::HEARTBEAT));
        for token in due {
            let Some(record) = self.records.by_token(token) else { continue };
            if record.expires != 0 && record.expires <= second(now) {
                self.doomed.push((token, Cut::Expired));
                continue;
            }
            let silent = second(now).wrapping_sub(record.written);
            if self.config.heartbeat != 0 && u64::from(silent) >= self.patience(token) {
                self.send(token.index(), &heartbeat, now_ms);
            }
            self.schedule(token, now);
        }
        if self.watched != now {
            self.watched = now;
            self.watch_waiting(now_ms);
        }
    }

    fn watch_waiting(&mut self, now_ms: u64) {
        let (records, doomed, limits) = (&mut self.records, &mut self.doomed, &self.config.limits);
        self.waiting.retain(|token| {
            let Some(record) = records.by_token(*token) else { return false };
            if record.pending() == 0 {
                record.take_off();
                return false;
            }
            if record.stalled_for(now_ms) >= limits.max_stall_ms {
                doomed.push((*token, Cut::Stalled));
            }
            true
        });
        if self.waiting.is_empty() {
            self.waiting = Vec::new();
        }
        self.held.sweep();
        self.count();
    }

    #[cfg(test)]
    pub(crate) fn listed(&self) -> usize {
        self.waiting.len()
    }

    /// Seconds of silence that this subscriber gets: all of them once heard the same event at the same time, and their
    /// next comments are not to be due in the same second.
    fn patience(&self, token: Token) -> u64 {
        let period = self.config.heartbeat;
        period - u64::from(token.index()) % (period / 4 + 1)
    }

    fn schedule(&mut self, token: Token, now: u64) {
        let patience = self.patience(token);
        let Some(record) = self.records.by_token(token) else { return };
        let beat = match self.config.heartbeat {
            0 => u64::MAX,
            _ => {
                let silent = u64::from(second(now).wrapping_sub(record.written));
                now + patience.saturating_sub(silent)
            }
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
            self.inbox.goes();
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
            drop(record);
            if self.records.len() == 0 {
                // With nobody left no second is waited for, so this is the last look at what they had waiting.
                self.waiting = Vec::new();
                self.held.sweep();
            }
            self.count();
            self.metrics.subscribers.subtract(1);
        }
    }

    /// Tells the metrics what has become of this shard's share.
    fn count(&mut self) {
        let now = (self.classes.len() as u64, self.held.bytes() as u64);
        self.metrics.classes.change(self.counted.0, now.0);
        self.metrics.backlog_bytes.change(self.counted.1, now.1);
        self.counted = now;
    }

    /// Those who are asked to come back are asked to do so at different times. Everyone is listed once and not once per step;
    /// those who come after that are listed with the last.
    fn release(&mut self, count: usize) {
        let now_ms = self.clock.monotonic_ms();
        if self.leaving.len() < count {
            self.leaving = self.records.tokens();
        }
        let mut left = count;
        while left > 0
            && let Some(token) = self.leaving.pop()
        {
            if self.records.by_token(token).is_none() {
                continue;
            }
            left -= 1;
            let pause = LEAST_PAUSE_MS + token.index().wrapping_mul(PAUSE_STEP_MS) % PAUSES_MS;
            let retry = Bytes::from(format!("retry: {pause}\n\n"));
            self.send(token.index(), &Piece::new(retry), now_ms);
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

/// Deliveries that are written together.
#[derive(Default)]
struct Batch {
    bytes: usize,
    /// When the oldest was handed over.
    since: Option<u64>,
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
