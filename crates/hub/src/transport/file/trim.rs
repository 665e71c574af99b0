//! Makes a history shorter while no hub has it: to the event, where a running hub removes whole segments.
//!
//! At every moment the directory holds a history that can be opened. The segment in which the new beginning lies is first
//! written anew from there; then what is before it goes, oldest first. A crash in between leaves the old beginning, whose
//! last segment ends where the next one begins.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use petasos_protocol::EventId;

use super::archive::{Archive, Visit, VisitError};
use super::config::{FileConfig, OpenError, Retention};
use super::header::Header;
use super::names;
use super::open;
use super::record::{self, Place};
use super::storage::{Directory, LogFile, Storage, write_all};
use crate::transport::Seq;

/// What [`trim`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trimmed {
    /// How many events went.
    pub removed: u64,
    /// The place before the oldest event that is left.
    pub floor: Seq,
    /// The place of the newest event.
    pub newest: Seq,
}

/// Removes the oldest events until the rest is within these limits; `now` is in seconds since the Unix epoch. Bytes are those of
/// the events themselves.
///
/// # Errors
/// [`OpenError`] if there is no history, if a process has it, or if it is damaged: then nothing is removed.
pub fn trim(directory: &Path, limits: &Retention, now: u64) -> Result<Trimmed, OpenError> {
    Archive::look(directory)?;
    let storage: Arc<dyn Storage> = Arc::new(Directory::take(directory)?);
    trim_on(&storage, limits, now)
}

pub(super) fn trim_on(
    storage: &Arc<dyn Storage>,
    limits: &Retention,
    now: u64,
) -> Result<Trimmed, OpenError> {
    // What was never acknowledged goes first, so that every segment may be read to its end.
    let tidy = FileConfig::new(storage.describe()).retention(Retention::UNLIMITED);
    open::open(&tidy, &**storage)?;
    let archive = Archive::on(Arc::clone(storage))?;
    let cut = Cut::find(&archive, limits, now)?;
    let trimmed = Trimmed { removed: cut.floor - cut.oldest, floor: Seq(cut.floor), newest: Seq(cut.newest) };
    if trimmed.removed > 0 {
        cut.begin(&archive, &**storage)?;
        remove_before(&archive, &**storage, cut.floor + 1)?;
        open::open(&tidy, &**storage)?;
    }
    Ok(trimmed)
}

/// Where a history is to begin.
struct Cut {
    /// The places before the oldest event, now and then.
    oldest: u64,
    floor: u64,
    newest: u64,
    /// The id of the event at `floor`.
    id: Option<EventId>,
}

impl Cut {
    /// Reads all of the history, so that nothing is removed of one that is damaged.
    fn find(archive: &Archive, limits: &Retention, now: u64) -> Result<Self, OpenError> {
        let (summary, total) = (archive.summary()?, archive.bytes());
        let oldest = summary.floor.0;
        let mut cut = Self { oldest, floor: oldest, newest: summary.newest.0, id: None };
        let by_number = limits.max_events.map_or(0, |most| cut.newest.saturating_sub(most));
        let since = limits.max_age.unwrap_or(Duration::MAX).as_secs();
        let since = now.saturating_sub(since);
        let most = limits.max_bytes.unwrap_or(u64::MAX);
        visit(archive, &mut |visit| {
            let seq = visit.stored.seq.0;
            let too_much = total - (visit.read - visit.bytes) > most;
            // All that is older goes too, whatever the clock said then.
            if seq <= by_number || too_much || visit.at < since {
                cut.floor = seq;
                cut.id = Some(visit.stored.event.id().clone());
            }
        })?;
        Ok(cut)
    }

    /// Writes the segment that the history is to begin with, unless one begins there already.
    fn begin(&self, archive: &Archive, storage: &dyn Storage) -> Result<(), OpenError> {
        let Some((base, old)) = archive.segment_around(self.floor + 1)? else { return Ok(()) };
        let header =
            Header { base: self.floor + 1, created: old.created, key: old.key, previous_id: self.id.clone() };
        let name = names::segment(header.base);
        let draft = names::draft(&name);
        let failed = || OpenError::storage(format!("write {draft}"));
        let file = storage.create(&draft).map_err(failed())?;
        let mut copy = Copy { file: &*file, bytes: header.encode().to_vec(), at: 0, header: &header };
        let mut result = Ok(());
        archive.visit_from(base, &mut |visit| {
            if visit.stored.seq.0 > self.floor && result.is_ok() {
                result = copy.add(&visit);
            }
        })?;
        result.and_then(|()| copy.finish()).map_err(failed())?;
        storage.rename(&draft, &name).and_then(|()| storage.sync_names()).map_err(failed())
    }
}

/// A segment that is being written.
struct Copy<'a> {
    file: &'a dyn LogFile,
    header: &'a Header,
    bytes: Vec<u8>,
    /// Where `bytes` begin in the file.
    at: u64,
}

impl Copy<'_> {
    fn add(&mut self, visit: &Visit) -> std::io::Result<()> {
        // All of it is durable before it has its name.
        let flushed = u32::try_from(self.at + self.bytes.len() as u64).unwrap_or(u32::MAX);
        let place = Place { seq: visit.stored.seq.0, at: visit.at, flushed };
        record::encode(&visit.stored.event, place, self.header.key.seed(), &mut self.bytes);
        if self.bytes.len() >= PIECE { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> std::io::Result<()> {
        write_all(self.file, &self.bytes, self.at)?;
        self.at += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }

    fn finish(&mut self) -> std::io::Result<()> {
        self.write()?;
        self.file.sync()
    }
}

/// Removes the segments before the one that begins with `first`, oldest first: a history has no holes.
fn remove_before(archive: &Archive, storage: &dyn Storage, first: u64) -> Result<(), OpenError> {
    for base in archive.bases().filter(|base| *base < first) {
        let name = names::segment(base);
        storage
            .remove(&name)
            .and_then(|()| storage.sync_names())
            .map_err(OpenError::storage(format!("remove {name}")))?;
    }
    Ok(())
}

fn visit(archive: &Archive, visit: &mut dyn FnMut(&Visit)) -> Result<(), OpenError> {
    let visited = archive.visit(&mut |one| {
        visit(&one);
        Ok(())
    });
    visited.map_err(VisitError::into_history)
}

/// Bytes that are written at once.
const PIECE: usize = 1 << 20;
