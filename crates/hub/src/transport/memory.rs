//! A bounded history in memory: a ring of events with an index by id.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use petasos_protocol::EventId;

use super::{AppendError, Bounds, BoxFuture, Follower, ReadError, Seq, Stored, Transport};
use crate::event::Event;

/// How much a [`Memory`] history keeps; what is older goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Number of events.
    pub max_events: usize,
    /// Bytes, roughly, of all events together.
    pub max_bytes: usize,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self { max_events: 100_000, max_bytes: 64 << 20 }
    }
}

/// A history in memory. It is gone when the process ends.
pub struct Memory {
    limits: MemoryLimits,
    state: Mutex<State>,
}

impl Memory {
    /// An empty history with these limits.
    #[must_use]
    pub fn new(limits: MemoryLimits) -> Self {
        Self { limits, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held is a bug elsewhere; every update of the state is complete at each step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(MemoryLimits::default())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("limits", &self.limits).field("bounds", &self.bounds()).finish()
    }
}

impl Transport for Memory {
    fn follow(&self, follower: Arc<dyn Follower>) -> Bounds {
        let mut state = self.state();
        state.follower = Some(follower);
        state.bounds()
    }

    fn append(&self, event: Arc<Event>) -> BoxFuture<'_, Result<Seq, AppendError>> {
        let mut state = self.state();
        if state.closed {
            return Box::pin(ready(Err(AppendError::Closed)));
        }
        let seq = state.push(Arc::clone(&event));
        state.evict(self.limits);
        // Delivered under the lock: that is what keeps the follower's order equal to the history's.
        if let Some(follower) = &state.follower {
            follower.deliver(Stored { seq, event });
        }
        Box::pin(ready(Ok(seq)))
    }

    fn read(&self, after: Seq, max_bytes: usize) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        Box::pin(ready(Ok(self.state().read(after, max_bytes))))
    }

    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Seq>, ReadError>> {
        Box::pin(ready(Ok(self.state().index.earliest(id))))
    }

    fn bounds(&self) -> Bounds {
        self.state().bounds()
    }

    fn health(&self) -> Result<(), String> {
        if self.state().closed { Err("the hub is stopping".to_owned()) } else { Ok(()) }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        let mut state = self.state();
        state.closed = true;
        state.follower = None;
        Box::pin(ready(()))
    }
}

#[derive(Default)]
struct State {
    events: VecDeque<Arc<Event>>,
    /// Invariant: `events[i]` has the place `floor + 1 + i`.
    floor: Seq,
    bytes: usize,
    index: Index,
    newest_id: Option<EventId>,
    follower: Option<Arc<dyn Follower>>,
    closed: bool,
}

impl State {
    fn bounds(&self) -> Bounds {
        Bounds { floor: self.floor, newest: self.newest(), newest_id: self.newest_id.clone() }
    }

    fn newest(&self) -> Seq {
        Seq(self.floor.0 + self.events.len() as u64)
    }

    fn push(&mut self, event: Arc<Event>) -> Seq {
        let seq = self.newest().next();
        self.bytes += event.weight();
        self.index.insert(event.id(), seq);
        self.newest_id = Some(event.id().clone());
        self.events.push_back(event);
        seq
    }

    fn evict(&mut self, limits: MemoryLimits) {
        while self.events.len() > limits.max_events || self.bytes > limits.max_bytes {
            let Some(event) = self.events.pop_front() else { return };
            self.floor = self.floor.next();
            self.bytes -= event.weight();
            self.index.remove(event.id(), self.floor);
        }
    }

    fn read(&self, after: Seq, max_bytes: usize) -> Vec<Stored> {
        let skip = after.0.saturating_sub(self.floor.0);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(self.events.len());
        let mut batch = Vec::new();
        let mut bytes = 0;
        for (offset, event) in self.events.range(skip..).enumerate() {
            if bytes >= max_bytes && offset > 0 {
                break;
            }
            bytes += event.frame().len();
            let seq = Seq(self.floor.0 + (skip + offset) as u64 + 1);
            batch.push(Stored { seq, event: Arc::clone(event) });
        }
        batch
    }
}

/// Ids to places. Publishers may repeat an id: the earliest occurrence that is still held counts (REC.4).
#[derive(Default)]
struct Index {
    first: HashMap<EventId, Seq>,
    /// Later occurrences, only for ids that occur more than once.
    repeats: HashMap<EventId, VecDeque<Seq>>,
}

impl Index {
    fn earliest(&self, id: &str) -> Option<Seq> {
        let id = EventId::new(id).ok()?;
        self.first.get(&id).copied()
    }

    fn insert(&mut self, id: &EventId, seq: Seq) {
        if self.first.contains_key(id) {
            self.repeats.entry(id.clone()).or_default().push_back(seq);
        } else {
            self.first.insert(id.clone(), seq);
        }
    }

    /// Forgets the occurrence at `seq`, which is the oldest one held.
    fn remove(&mut self, id: &EventId, seq: Seq) {
        if self.first.get(id) != Some(&seq) {
            return;
        }
        let Some(later) = self.repeats.get_mut(id) else {
            self.first.remove(id);
            return;
        };
        if let Some(next) = later.pop_front() {
            self.first.insert(id.clone(), next);
        }
        if later.is_empty() {
            self.repeats.remove(id);
        }
    }
}
