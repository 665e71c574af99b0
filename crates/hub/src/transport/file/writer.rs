//! The one thread that appends.
//!
//! Invariants:
//! - nobody is told that an event is stored, and no reader or follower sees it, before it is as durable as configured;
//! - a write that fails is taken back: the segment is cut to where it was, durably, and those who waited are refused.
//!   If it cannot be taken back, nothing is accepted any more;
//! - a flush that fails ends the history's life in this process: what the disk holds then is unknown, and a second flush
//!   that succeeds proves nothing.

use std::io;
use std::sync::Arc;

use super::config::Durability;
use super::header::{self, Header};
use super::is_full;
use super::log::{Log, Placed};
use super::open::{Last, create_segment};
use super::queue::{Pending, Turn, answer};
use super::record::{self, Place};
use super::segment::Segment;
use super::storage::{LogFile, write_all};
use crate::transport::{AppendError, Seq};

pub(super) struct Writer {
    log: Arc<Log>,
    segment: Arc<Segment>,
    file: Arc<dyn LogFile>,
    /// Events of the segment.
    events: u64,
    newest: u64,
    /// A new segment was begun and perhaps not finished: appending to the old one would overlap with it.
    roll_due: bool,
    bytes: Vec<u8>,
    placed: Vec<Placed>,
}

impl Writer {
    pub(super) fn new(log: Arc<Log>, last: Last) -> Self {
        let newest = log.state().newest;
        let Last { segment, file, events } = last;
        let (bytes, placed) = Default::default();
        Self { log, segment, file, events, newest, roll_due: false, bytes, placed }
    }

    pub(super) fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            match self.log.queue.take(&mut batch) {
                Turn::Batch => self.store(&mut batch),
                Turn::Look(waiting) => {
                    self.look();
                    for done in waiting {
                        answer(done, ());
                    }
                }
                Turn::Stop => break,
            }
        }
        if let Err(error) = self.flush() {
            tracing::error!(%error, "the end of the history may not survive a loss of power");
        }
    }

    /// Stores a batch and tells everybody.
    fn store(&mut self, batch: &mut Vec<Pending>) {
        match self.append(batch) {
            Ok(()) => {
                self.log.publish(&self.placed, self.segment.size() + self.bytes.len() as u64);
                self.newest += batch.len() as u64;
                self.events += batch.len() as u64;
                for (pending, placed) in batch.drain(..).zip(self.placed.drain(..)) {
                    answer(pending.done, Ok(Seq(placed.seq)));
                }
            }
            Err(refusal) => {
                for pending in batch.drain(..) {
                    answer(pending.done, Err(refusal.clone()));
                }
            }
        }
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
    }

    fn append(&mut self, batch: &[Pending]) -> Result<(), AppendError> {
        if let Some(reason) = self.log.queue.broken() {
            return Err(AppendError::Storage(reason));
        }
        let now = self.log.config.clock.unix_seconds();
        if self.full(now) {
            self.roll(now)?;
        }
        self.encode(batch, now);
        let end = self.segment.size();
        if let Err(error) = write_all(&*self.file, &self.bytes, end) {
            return Err(self.take_back(end, &error));
        }
        match self.log.config.durability {
            Durability::Fsync => self.flush_to(end + self.bytes.len() as u64),
            Durability::Os => Ok(()),
        }
    }

    fn encode(&mut self, batch: &[Pending], at: u64) {
        self.bytes.clear();
        self.placed.clear();
        let (start, flushed) = (self.segment.size(), offset(self.segment.flushed()));
        for (pending, seq) in batch.iter().zip(self.newest + 1..) {
            let place = Place { seq, at, flushed };
            let offset = offset(start + self.bytes.len() as u64);
            record::encode(&pending.event, place, self.log.key.seed(), &mut self.bytes);
            let hash = self.log.key.hash(pending.event.id().as_str());
            self.placed.push(Placed { seq, offset, hash, event: Arc::clone(&pending.event) });
        }
    }

    /// Removes what a failed write left. It was refused, so it must not come back after a crash either.
    fn take_back(&self, end: u64, error: &io::Error) -> AppendError {
        let taken_back = self.file.truncate(end).and_then(|()| self.file.sync());
        if let Err(second) = taken_back {
            let reason =
                format!("a write failed ({error}) and could not be taken back ({second}); restart the hub");
            return self.broken(reason);
        }
        tracing::warn!(%error, "events were refused: they cannot be written");
        if is_full(error) {
            AppendError::Full(error.to_string())
        } else {
            AppendError::Storage(error.to_string())
        }
    }

    /// Makes everything up to `end` durable.
    fn flush_to(&self, end: u64) -> Result<(), AppendError> {
        match self.file.sync() {
            Ok(()) => {
                self.segment.set_flushed(end);
                Ok(())
            }
            Err(error) => {
                let reason =
                    format!("a flush failed ({error}), so the disk may have lost events; restart the hub");
                Err(self.broken(reason))
            }
        }
    }

    fn flush(&self) -> Result<(), AppendError> {
        let end = self.segment.size();
        if self.segment.flushed() == end { Ok(()) } else { self.flush_to(end) }
    }

    fn broken(&self, reason: String) -> AppendError {
        tracing::error!(reason, "the history accepts nothing any more");
        self.log.queue.break_down(&reason);
        AppendError::Storage(reason)
    }

    /// Begins a new segment if the present one is too old to be appended to.
    fn look(&mut self) {
        let now = self.log.config.clock.unix_seconds();
        if self.full(now)
            && let Err(error) = self.roll(now)
        {
            tracing::warn!(%error, "an old segment could not be closed; it is tried again");
        }
    }

    fn full(&self, now: u64) -> bool {
        let config = &self.log.config;
        let created = self.segment.created.get().copied().unwrap_or(now);
        let too_old = config.full_after().is_some_and(|age| now.saturating_sub(created) >= age);
        let full = self.segment.size() >= config.full_at() || self.events >= config.full_with() || too_old;
        self.roll_due || (self.events > 0 && full)
    }

    /// Continues in a new segment.
    fn roll(&mut self, now: u64) -> Result<(), AppendError> {
        self.log.wait_for_room().map_err(AppendError::Full)?;
        // Only the last segment may have an end that is not durable.
        self.flush()?;
        self.roll_due = true;
        // Never before the one before it: its age must not seem greater than theirs.
        let created = self.segment.created.get().copied().unwrap_or_default().max(now);
        let previous_id = self.log.state().newest_id.clone();
        let header = Header { base: self.newest + 1, created, key: self.log.key, previous_id };
        let file = create_segment(&*self.log.storage, &header).map_err(|error| {
            let reason = format!("a new file cannot be begun: {error}");
            if is_full(&error) { AppendError::Full(reason) } else { AppendError::Storage(reason) }
        })?;
        let segment = Segment::new(header.base, header::SIZE as u64, created, Vec::new());
        (self.file, self.segment, self.events) = (file, Arc::new(segment), 0);
        self.roll_due = false;
        self.log.seal(Arc::clone(&self.segment), Arc::clone(&self.file));
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.log.queue.break_down("the writer ended by a panic; restart the hub");
        }
        self.log.orders.stop();
    }
}

/// Segments are at most 2 GiB, whatever comes on top of a full one.
fn offset(at: u64) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Bytes of a buffer that is kept for the next batch.
const KEPT: usize = 4 << 20;
