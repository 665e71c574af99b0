//! The thread that keeps the history in order: it indexes sealed segments, merges runs, removes what is too old.
//!
//! Nobody waits for it but a writer that is far ahead of it. It works in small steps with pauses, because a flush of the
//! log waits for what else the disk has to do.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::config::Durability;
use super::ids::{Entry, Run, RunError, RunWriter, SegmentIds, merge, merge_due};
use super::log::{Log, Sealing};
use super::names;
use super::queue::answer;
use super::reader;
use super::recover;
use super::segment::{Segment, write_offsets};
use super::storage::LogFile;

/// What the keeper is told.
#[derive(Default)]
pub(super) struct Orders {
    state: Mutex<Given>,
    changed: Condvar,
}

#[derive(Default)]
struct Given {
    /// There is something to index.
    sealed: bool,
    stop: bool,
    /// Who wants to know when a round has ended, and what was wrong in it.
    tidy: Vec<oneshot::Sender<Option<String>>>,
}

impl Orders {
    pub(super) fn sealed(&self) {
        self.given().sealed = true;
        self.changed.notify_one();
    }

    pub(super) fn stop(&self) {
        self.given().stop = true;
        self.changed.notify_one();
    }

    pub(super) fn tidy(&self, done: oneshot::Sender<Option<String>>) {
        let mut given = self.given();
        if !given.stop {
            given.tidy.push(done);
            self.changed.notify_one();
        }
    }

    /// Waits for an order, but not for ever: time passes by itself. Returns who waits for the round to end.
    fn wait(&self, at_most: Duration) -> Vec<oneshot::Sender<Option<String>>> {
        let idle = |given: &mut Given| !given.sealed && !given.stop && given.tidy.is_empty();
        let waited = self.changed.wait_timeout_while(self.given(), at_most, idle);
        let (mut given, _) = waited.unwrap_or_else(PoisonError::into_inner);
        given.sealed = false;
        std::mem::take(&mut given.tidy)
    }

    fn stopping(&self) -> bool {
        self.given().stop
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Keeper {
    log: Arc<Log>,
}

impl Keeper {
    pub(super) fn new(log: Arc<Log>) -> Self {
        Self { log }
    }

    pub(super) fn run(self) {
        // A crash may have left something to do.
        self.log.orders.sealed();
        loop {
            let waiting = self.log.orders.wait(TICK);
            let stop = self.log.orders.stopping();
            let trouble = self.round().err();
            for done in waiting {
                answer(done, trouble.clone());
            }
            if stop {
                return;
            }
        }
    }

    /// Does what is due. Goes on after a failure: each part is worth doing without the others.
    ///
    /// Never waits for the writer, which may wait for it.
    fn round(&self) -> Result<(), String> {
        if self.log.config.full_after().is_some() {
            self.log.queue.look(None);
        }
        let results = [self.flush(), self.expire(), self.index(), self.merge(), self.expire()];
        let trouble: Vec<String> = results.into_iter().filter_map(Result::err).collect();
        if trouble.is_empty() { Ok(()) } else { Err(trouble.join("; ")) }
    }

    /// What was acknowledged without a flush gets one now.
    fn flush(&self) -> Result<(), String> {
        if self.log.config.durability == Durability::Fsync {
            return Ok(());
        }
        let Some((segment, file)) = self.log.active() else { return Ok(()) };
        let end = segment.size();
        if segment.flushed() >= end {
            return Ok(());
        }
        if let Err(error) = file.sync() {
            let reason =
                format!("a flush failed ({error}), so the disk may have lost events; restart the hub");
            self.log.queue.break_down(&reason);
            return Err(reason);
        }
        segment.set_flushed(end);
        Ok(())
    }

    /// Removes segments that nobody wants any more, oldest first, and the runs that were theirs.
    fn expire(&self) -> Result<(), String> {
        let now = self.log.config.clock.unix_seconds();
        loop {
            let age = self.second_created().map_err(|error| error.to_string())?;
            let Some(segment) = self.log.expel(now, age) else { return Ok(()) };
            if let Err((name, error)) = self.remove(segment.base) {
                self.log.take_in(segment);
                tracing::warn!(file = name, %error, "what is too old cannot be removed; it is tried again");
                return Err(format!("{name} cannot be removed: {error}"));
            }
        }
    }

    /// When the second segment was made: no event of the first one is later.
    fn second_created(&self) -> Result<Option<u64>, reader::ReadFlaw> {
        if self.log.config.retention.max_age.is_none() {
            return Ok(None);
        }
        let Some(second) = self.log.state().segments.get(1).cloned() else { return Ok(None) };
        if let Some(created) = second.created.get() {
            return Ok(Some(*created));
        }
        let name = names::segment(second.base);
        let header = reader::header(&*reader::open(&self.log, &name)?, &name)?;
        Ok(Some(*second.created.get_or_init(|| header.created)))
    }

    /// The removal of a segment is durable before the next one goes: a history has no holes.
    fn remove(&self, base: u64) -> Result<(), (String, io::Error)> {
        let name = names::segment(base);
        let held = match self.log.storage.open(&name) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err((name, error)),
        };
        self.remove_file(&name)?;
        self.remove_file(&names::offsets(base))?;
        for (first, last) in self.log.drop_runs() {
            self.remove_file(&names::run(first, last))?;
        }
        self.log.storage.sync_names().map_err(|error| (name.clone(), error))?;
        // If that fails, it comes back all at once.
        if let Some(Err(error)) = held.map(|file| self.give_back(&*file)) {
            tracing::warn!(file = name, %error, "the space of a removed file does not come back in steps");
        }
        Ok(())
    }

    /// Gives the space of a removed file back in steps: the system makes whoever flushes meanwhile wait for a step.
    fn give_back(&self, file: &dyn LogFile) -> io::Result<()> {
        let mut size = file.size()?;
        while size > STEP && !self.log.orders.stopping() {
            size -= STEP;
            file.truncate(size)?;
            self.pause()?;
        }
        Ok(())
    }

    fn remove_file(&self, name: &str) -> Result<(), (String, io::Error)> {
        let removed = self.log.storage.remove(name);
        // After the removal: nobody can open it again, and its space comes back when nobody has it open.
        self.log.files.forget(name);
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err((name.to_owned(), error)),
            _ => Ok(()),
        }
    }

    /// Writes a run for each sealed segment that has none.
    fn index(&self) -> Result<(), String> {
        while let Some(sealing) = self.log.next_sealing() {
            // After a crash there may be many to read, and none of them is lost by leaving them to the next start.
            if sealing.ids.is_none() && self.log.orders.stopping() {
                return Ok(());
            }
            let run = self.index_one(&sealing).inspect_err(|reason| {
                tracing::warn!(reason, "the ids of a segment cannot be indexed; it is tried again");
                self.log.index_failed(reason);
            })?;
            if !self.log.indexed_one(&sealing, &Arc::new(run)) {
                // Retention, in a pause, was faster: these files were made after it had removed them.
                self.remove_derived(&sealing).map_err(|(name, error)| format!("{name}: {error}"))?;
            }
        }
        Ok(())
    }

    fn remove_derived(&self, sealing: &Sealing) -> Result<(), (String, io::Error)> {
        self.remove_file(&names::run(sealing.segment.base, sealing.last))?;
        self.remove_file(&names::offsets(sealing.segment.base))
    }

    fn index_one(&self, sealing: &Sealing) -> Result<Run, String> {
        let base = sealing.segment.base;
        let failed =
            |error: RunError| format!("the index of {} cannot be written: {error}", names::segment(base));
        let entries = match &sealing.ids {
            Some(ids) => {
                sealing.segment.store_offsets(&*self.log.storage).map_err(|error| failed(error.into()))?;
                ids.entries()
            }
            None => self.read_ids(&sealing.segment, sealing.last)?,
        };
        let range = base..=sealing.last;
        self.write_run((base, sealing.last), |file| {
            let mut writer = RunWriter::new(file, self.log.key, &range, entries.len() as u64);
            for entry in entries {
                if writer.push(entry)? {
                    self.pause()?;
                }
            }
            Ok(writer.finish()?)
        })
        .map_err(failed)
    }

    /// Reads the ids of a segment that an earlier process sealed, and writes its offsets.
    fn read_ids(&self, segment: &Segment, last: u64) -> Result<Vec<Entry>, String> {
        let name = names::segment(segment.base);
        let file = reader::open(&self.log, &name).map_err(|flaw| flaw.to_string())?;
        let header = reader::header(&*file, &name).map_err(|flaw| flaw.to_string())?;
        let (mut ids, mut offsets) = (SegmentIds::default(), Vec::new());
        recover::sealed(&*file, segment.size(), &header, &mut |offset, record| {
            // What lies beyond the beginning of the next segment is no part of the history: see `trim`.
            if record.seq > last {
                return;
            }
            ids.insert(self.log.key.hash(record.id), record.seq);
            offsets.push(u32::try_from(offset).unwrap_or(u32::MAX));
        })
        .map_err(|error| format!("{name}: {error}"))?;
        write_offsets(&*self.log.storage, segment.base, &offsets)
            .map_err(|error| format!("{name}: {error}"))?;
        Ok(ids.entries())
    }

    fn write_run(
        &self,
        (first, last): (u64, u64),
        write: impl FnOnce(Arc<dyn LogFile>) -> Result<(), RunError>,
    ) -> Result<Run, RunError> {
        let (name, storage) = (names::run(first, last), &self.log.storage);
        let draft = names::draft(&name);
        write(storage.create(&draft)?)?;
        storage.rename(&draft, &name)?;
        storage.sync_names()?;
        Run::open(storage.open(&name)?)
    }

    /// Makes few runs of many.
    fn merge(&self) -> Result<(), String> {
        while !self.log.orders.stopping() {
            let (runs, floor) = self.log.runs();
            let sizes: Vec<u64> = runs.iter().map(|run| run.live(floor)).collect();
            let due = merge_due(&sizes);
            if due == 0 {
                return Ok(());
            }
            match self.merge_some(&runs[runs.len() - due..], floor) {
                Ok(()) => {}
                Err(RunError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
                Err(error) => {
                    tracing::warn!(%error, "indexes cannot be merged; it is tried again");
                    return Err(format!("indexes cannot be merged: {error}"));
                }
            }
        }
        Ok(())
    }

    fn merge_some(&self, runs: &[Arc<Run>], floor: u64) -> Result<(), RunError> {
        let (Some(oldest), Some(newest)) = (runs.first(), runs.last()) else { return Ok(()) };
        let range = *oldest.range().start()..=*newest.range().end();
        let entries = runs.iter().map(|run| run.entries()).sum();
        let merged = self.write_run((*range.start(), *range.end()), |file| {
            let writer = RunWriter::new(file, self.log.key, &range, entries);
            merge(runs, floor, writer, &mut || self.pause_merge())
        })?;
        self.log.merged(runs, Arc::new(merged));
        for run in runs {
            self.remove_file(&names::run(*run.range().start(), *run.range().end()))
                .map_err(|(_, error)| error)?;
        }
        Ok(())
    }

    /// A long merge holds back neither retention nor the writer, nor the end of the process.
    fn pause_merge(&self) -> io::Result<()> {
        if self.log.orders.stopping() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        for part in [self.flush(), self.expire(), self.index()] {
            part.map_err(io::Error::other)?;
        }
        self.pause()
    }

    /// Leaves the disk to the writer for a while.
    fn pause(&self) -> io::Result<()> {
        if !self.log.hurried() && !self.log.orders.stopping() {
            std::thread::park_timeout(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.log.queue.break_down("the keeper ended by a panic; restart the hub");
            self.log.index_failed("the keeper ended by a panic; restart the hub");
        }
    }
}

/// How often it looks at the time.
const TICK: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(2);
/// Bytes whose space is given back at once.
const STEP: u64 = 8 << 20;
