//! What the threads of a history share.
//!
//! The writer appends and publishes, the keeper indexes and removes, readers read; each looks at the [`State`] under its
//! lock for moments only, and never while it waits for the disk. Lock order: follower, then state.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use petasos_protocol::EventId;
use tokio::sync::watch;

use super::config::FileConfig;
use super::files::Files;
use super::ids::{Key, Run, SegmentIds};
use super::keeper::Orders;
use super::queue::Queue;
use super::segment::Segment;
use super::storage::{LogFile, Storage};
use crate::event::Event;
use crate::transport::{Bounds, Follower, Seq, Stored};

pub(super) struct Log {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) config: FileConfig,
    pub(super) key: Key,
    pub(super) queue: Queue,
    pub(super) orders: Orders,
    pub(super) files: Files,
    /// Whether every id can be found.
    pub(super) indexed: watch::Sender<Indexed>,
    state: Mutex<State>,
    /// Signalled when the keeper has taken a segment off [`State::sealing`], or failed to.
    room: Condvar,
    /// Held while events are published and delivered, so that a follower misses none and sees none twice.
    follower: Mutex<Option<Arc<dyn Follower>>>,
}

/// Whether every id can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Indexed {
    /// Some segments of an earlier process are not indexed yet.
    Missing,
    All,
    /// They cannot be.
    Failed(String),
}

/// What is where at the moment.
#[derive(Debug)]
pub(super) struct State {
    /// Oldest first, without gaps; the last one is appended to.
    pub(super) segments: VecDeque<Arc<Segment>>,
    pub(super) newest: u64,
    pub(super) newest_id: Option<EventId>,
    /// Of the last segment.
    pub(super) ids: SegmentIds,
    /// Segments whose ids no run has yet, oldest first.
    pub(super) sealing: VecDeque<Sealing>,
    /// Oldest first, disjoint; with `sealing` and `ids` they have every id.
    pub(super) runs: Arc<[Arc<Run>]>,
    /// Why ids cannot be written to a run at the moment.
    pub(super) index_trouble: Option<String>,
    /// The last segment, open.
    pub(super) file: Arc<dyn LogFile>,
}

/// A segment that waits for its ids to become a run.
#[derive(Clone, Debug)]
pub(super) struct Sealing {
    pub(super) segment: Arc<Segment>,
    pub(super) last: u64,
    /// `None` if they must be read from the segment, which is of an earlier process.
    pub(super) ids: Option<Arc<SegmentIds>>,
}

/// A part of a segment that may be read.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) segment: Arc<Segment>,
    /// The number of the first event wanted.
    pub(super) from: u64,
    /// The number of the last event that is there.
    pub(super) last: u64,
    /// Bytes of the segment that may be read.
    pub(super) size: u64,
}

/// Everything that knows ids, at one moment.
pub(super) struct Ids {
    pub(super) floor: u64,
    pub(super) runs: Arc<[Arc<Run>]>,
    pub(super) sealing: Vec<Arc<SegmentIds>>,
    /// What the last segment says.
    pub(super) active: Option<u64>,
}

/// An event that the writer has stored.
pub(super) struct Placed {
    pub(super) seq: u64,
    pub(super) offset: u32,
    pub(super) hash: u128,
    pub(super) event: Arc<Event>,
}

impl Log {
    pub(super) fn new(storage: Arc<dyn Storage>, config: FileConfig, key: Key, state: State) -> Self {
        let complete = state.complete();
        Self {
            files: Files::new(Arc::clone(&storage)),
            storage,
            config,
            key,
            queue: Queue::default(),
            orders: Orders::default(),
            indexed: watch::Sender::new(if complete { Indexed::All } else { Indexed::Missing }),
            state: Mutex::new(state),
            room: Condvar::new(),
            follower: Mutex::new(None),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn follow(&self, follower: Option<Arc<dyn Follower>>) -> Bounds {
        let mut current = self.follower();
        *current = follower;
        self.bounds()
    }

    pub(super) fn bounds(&self) -> Bounds {
        let state = self.state();
        let floor = Seq(state.floor(self.config.retention.max_events));
        Bounds { floor, newest: Seq(state.newest), newest_id: state.newest_id.clone() }
    }

    /// Lets everybody have what was stored, readers and the follower at one moment: whoever reads an event before the follower
    /// has it would go on from there and get it once more, and whoever gets it first would not find it.
    pub(super) fn publish(&self, placed: &[Placed], end: u64) {
        let follower = self.follower();
        let mut state = self.state();
        state.admit(placed, end);
        let Some(follower) = follower.as_ref() else { return };
        for placed in placed {
            follower.deliver(Stored { seq: Seq(placed.seq), event: Arc::clone(&placed.event) });
        }
    }

    /// What there is to read after this place, as far as one segment goes.
    pub(super) fn span(&self, after: Seq) -> Option<Span> {
        let state = self.state();
        let from = after.0.max(state.floor(self.config.retention.max_events)).saturating_add(1);
        if from > state.newest {
            return None;
        }
        let number = state.segments.partition_point(|segment| segment.base <= from).checked_sub(1)?;
        let segment = Arc::clone(state.segments.get(number)?);
        let size = segment.size();
        Some(Span { segment, from, last: state.last_of(number), size })
    }

    /// Whether a segment still belongs to the history.
    pub(super) fn holds(&self, base: u64) -> bool {
        self.state().segments.front().is_some_and(|oldest| oldest.base <= base)
    }

    pub(super) fn ids(&self, hash: u128) -> Ids {
        let state = self.state();
        let floor = state.floor(self.config.retention.max_events);
        Ids {
            floor,
            runs: Arc::clone(&state.runs),
            sealing: state.sealing.iter().filter_map(|sealing| sealing.ids.clone()).collect(),
            active: state.ids.find(hash, floor),
        }
    }

    /// The segment that is appended to.
    pub(super) fn active(&self) -> Option<(Arc<Segment>, Arc<dyn LogFile>)> {
        let state = self.state();
        state.segments.back().map(|segment| (Arc::clone(segment), Arc::clone(&state.file)))
    }

    /// Continues in a new segment.
    pub(super) fn seal(&self, next: Arc<Segment>, file: Arc<dyn LogFile>) {
        let mut state = self.state();
        let ids = Some(Arc::new(std::mem::take(&mut state.ids)));
        let last = state.newest;
        if let Some(segment) = state.segments.back().cloned() {
            state.sealing.push_back(Sealing { segment, last, ids });
        }
        state.segments.push_back(next);
        state.file = file;
        drop(state);
        self.orders.sealed();
    }

    /// Waits until few enough segments wait for the keeper.
    ///
    /// # Errors
    /// Why the keeper does not get on, if that is so.
    pub(super) fn wait_for_room(&self) -> Result<(), String> {
        let mut state = self.state();
        while state.waiting() >= MOST_SEALING {
            if let Some(trouble) = &state.index_trouble {
                return Err(trouble.clone());
            }
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Whether the writer will soon have to wait for the keeper.
    pub(super) fn hurried(&self) -> bool {
        self.state().waiting() + 1 >= MOST_SEALING
    }

    /// The oldest segment whose ids no run has.
    pub(super) fn next_sealing(&self) -> Option<Sealing> {
        let state = self.state();
        let next = state.sealing.front().cloned();
        // Retention may have removed the last one that was missing.
        self.tell_indexed(&state);
        next
    }

    /// A run has the ids of a segment. Says whether the segment still belongs to the history.
    pub(super) fn indexed_one(&self, sealing: &Sealing, run: &Arc<Run>) -> bool {
        let mut state = self.state();
        state.index_trouble = None;
        state.sealing.retain(|other| other.segment.base != sealing.segment.base);
        let wanted = state.segments.front().is_some_and(|oldest| oldest.base <= sealing.last);
        if wanted {
            let at = state.runs.partition_point(|other| other.range().start() < run.range().start());
            let (before, after) = state.runs.split_at(at);
            state.runs = before.iter().chain([run]).chain(after).cloned().collect();
        }
        self.tell_indexed(&state);
        drop(state);
        self.room.notify_all();
        wanted
    }

    pub(super) fn index_failed(&self, reason: &str) {
        let mut state = self.state();
        state.index_trouble = Some(reason.to_owned());
        if !state.complete() {
            self.indexed.send_replace(Indexed::Failed(reason.to_owned()));
        }
        drop(state);
        self.room.notify_all();
    }

    fn tell_indexed(&self, state: &State) {
        if state.complete() {
            self.indexed.send_if_modified(|indexed| std::mem::replace(indexed, Indexed::All) != Indexed::All);
        }
    }

    /// All runs, and the place before the oldest event that may be read.
    pub(super) fn runs(&self) -> (Arc<[Arc<Run>]>, u64) {
        let state = self.state();
        (Arc::clone(&state.runs), state.floor(self.config.retention.max_events))
    }

    /// One run has what these had.
    pub(super) fn merged(&self, old: &[Arc<Run>], new: Arc<Run>) {
        let mut state = self.state();
        let mut runs: Vec<Arc<Run>> = state.runs.iter().filter(|run| !contains(old, run)).cloned().collect();
        let at = runs.partition_point(|other| other.range().start() < new.range().start());
        runs.insert(at, new);
        state.runs = runs.into();
    }

    /// Takes the oldest segment out of the history if retention says so. `second_created` is when the one after it was made.
    pub(super) fn expel(&self, now: u64, second_created: Option<u64>) -> Option<Arc<Segment>> {
        let retention = self.config.retention;
        let mut state = self.state();
        if state.segments.len() < 2 {
            return None;
        }
        let passed = state.last_of(0) <= state.floor(retention.max_events);
        let too_much = retention.max_bytes.is_some_and(|most| state.bytes() > most);
        let old = |age: Duration| second_created.is_some_and(|at| at.saturating_add(age.as_secs()) <= now);
        let too_old = retention.max_age.is_some_and(old);
        if !(passed || too_much || too_old) {
            return None;
        }
        let segment = state.segments.pop_front()?;
        state.sealing.retain(|sealing| sealing.segment.base != segment.base);
        drop(state);
        self.room.notify_all();
        Some(segment)
    }

    /// Takes back a segment that could not be removed.
    pub(super) fn take_in(&self, segment: Arc<Segment>) {
        self.state().segments.push_front(segment);
    }

    /// Forgets runs all of whose events are gone; returns their ranges.
    pub(super) fn drop_runs(&self) -> Vec<(u64, u64)> {
        let mut state = self.state();
        let oldest = state.segments.front().map_or(state.newest, |oldest| oldest.base);
        let (gone, kept): (Vec<_>, Vec<_>) =
            state.runs.iter().cloned().partition(|run| *run.range().end() < oldest);
        if !gone.is_empty() {
            state.runs = kept.into();
        }
        gone.iter().map(|run| (*run.range().start(), *run.range().end())).collect()
    }

    fn follower(&self) -> MutexGuard<'_, Option<Arc<dyn Follower>>> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("storage", &self.storage)
            .field("bounds", &self.bounds())
            .finish_non_exhaustive()
    }
}

impl State {
    /// A history that has one segment.
    pub(super) fn new(
        segment: Arc<Segment>,
        file: Arc<dyn LogFile>,
        (newest, newest_id): (u64, Option<EventId>),
        ids: SegmentIds,
    ) -> Self {
        Self {
            segments: VecDeque::from([segment]),
            newest,
            newest_id,
            ids,
            sealing: VecDeque::new(),
            runs: Arc::from([]),
            index_trouble: None,
            file,
        }
    }

    /// Segments whose ids are in memory only.
    fn waiting(&self) -> usize {
        self.sealing.iter().filter(|sealing| sealing.ids.is_some()).count()
    }

    /// Whether every id can be found.
    fn complete(&self) -> bool {
        self.sealing.iter().all(|sealing| sealing.ids.is_some())
    }

    /// The place before the oldest event that may be read.
    pub(super) fn floor(&self, max_events: Option<u64>) -> u64 {
        let held = self.segments.front().map_or(self.newest, |oldest| oldest.base - 1);
        let wanted = max_events.map_or(0, |most| self.newest.saturating_sub(most));
        held.max(wanted)
    }

    /// The number of the last event of the segment at this position.
    pub(super) fn last_of(&self, number: usize) -> u64 {
        self.segments.get(number + 1).map_or(self.newest, |next| next.base - 1)
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        let log: u64 = self.segments.iter().map(|segment| segment.size()).sum();
        let runs: u64 = self.runs.iter().map(|run| run.size()).sum();
        let oldest = self.segments.front().map_or(self.newest, |oldest| oldest.base - 1);
        log + runs + (self.newest - oldest) * OFFSET_BYTES
    }

    fn admit(&mut self, placed: &[Placed], end: u64) {
        let Some((active, newest)) = self.segments.back().zip(placed.last()) else { return };
        active.grow(placed.iter().map(|placed| placed.offset), end);
        self.newest = newest.seq;
        self.newest_id = Some(newest.event.id().clone());
        for placed in placed {
            self.ids.insert(placed.hash, placed.seq);
        }
    }
}

fn contains(runs: &[Arc<Run>], run: &Arc<Run>) -> bool {
    runs.iter().any(|other| Arc::ptr_eq(other, run))
}

/// Segments whose ids are in memory at the same time, besides the active one.
const MOST_SEALING: usize = 3;
/// What an event takes in the file of offsets.
const OFFSET_BYTES: u64 = 4;
