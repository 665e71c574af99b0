//! A history as files that are only read: for those who look at one, whoever may be using it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::config::OpenError;
use super::header::{self, Header};
use super::names::{self, Name};
use super::recover;
use super::scan::{Scan, Step};
use super::storage::{Directory, LogFile, Storage};
use crate::transport::{Seq, Stored};

/// The files of a history at one moment. Another process may go on writing; what it adds later is not seen.
#[derive(Debug)]
pub struct Archive {
    storage: Arc<dyn Storage>,
    /// First events and sizes, oldest first.
    segments: Vec<(u64, u64)>,
    index_bytes: u64,
}

/// What a history holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Version of the format.
    pub format: u32,
    /// How many segments there are.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of what could be made again from them.
    pub index_bytes: u64,
    /// The place before the oldest event.
    pub floor: Seq,
    /// The place of the newest event.
    pub newest: Seq,
    /// Its id.
    pub newest_id: Option<String>,
    /// When the oldest segment was begun, in seconds since the Unix epoch.
    pub since: u64,
    /// Bytes at the end that were never acknowledged.
    pub torn: u64,
}

/// An event with what the history knows of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Visit {
    /// The event and its place.
    pub stored: Stored,
    /// When it was appended, in seconds since the Unix epoch.
    pub at: u64,
    /// Bytes that it takes.
    pub bytes: u64,
    /// Bytes of the history that have been read, this event included.
    pub read: u64,
}

/// Why a history was not visited to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VisitError {
    /// It cannot be read.
    #[error(transparent)]
    History(#[from] OpenError),
    /// The visitor failed.
    #[error(transparent)]
    Visitor(io::Error),
}

impl VisitError {
    /// For visitors that do not fail.
    pub(super) fn into_history(self) -> OpenError {
        match self {
            Self::History(error) => error,
            Self::Visitor(source) => OpenError::Storage { doing: "visit the history".to_owned(), source },
        }
    }
}

impl Archive {
    /// Looks at the history in this directory.
    ///
    /// # Errors
    /// [`OpenError`] if there is none.
    pub fn look(directory: &Path) -> Result<Self, OpenError> {
        Self::on(Arc::new(Directory::look(directory)))
    }

    /// Looks at the history on this storage.
    pub(super) fn on(storage: Arc<dyn Storage>) -> Result<Self, OpenError> {
        let doing = || format!("read the history in {}", storage.describe());
        let (mut segments, mut index_bytes) = (Vec::new(), 0);
        for (name, size) in storage.list().map_err(OpenError::storage(doing()))? {
            match Name::parse(&name) {
                Some(Name::Segment { base }) => segments.push((base, size)),
                Some(Name::Offsets { .. } | Name::Run { .. }) => index_bytes += size,
                Some(Name::Draft) | None => {}
            }
        }
        if segments.is_empty() {
            let source = io::Error::new(io::ErrorKind::NotFound, "there is none");
            return Err(OpenError::Storage { doing: doing(), source });
        }
        segments.sort_unstable();
        Ok(Self { storage, segments, index_bytes })
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|(_, size)| size).sum()
    }

    /// What it holds. Reads no more than the last segment.
    ///
    /// # Errors
    /// [`OpenError`] if that is damaged.
    pub fn summary(&self) -> Result<Summary, OpenError> {
        let (Some(oldest), Some(last)) = (self.segments.first(), self.segments.last()) else {
            return Ok(Summary::default());
        };
        let (_, first) = self.open(oldest.0)?;
        let (file, header) = self.open(last.0)?;
        let mut newest = last.0 - 1;
        let mut newest_id = header.previous_id.as_ref().map(|id| id.as_str().to_owned());
        let end = recover::tail(&*file, last.1, &header, &mut |_, record| {
            newest = record.seq;
            newest_id = Some(record.id.to_owned());
        })
        .map_err(|error| OpenError::segment(names::segment(last.0), error))?;
        Ok(Summary {
            format: header::VERSION,
            segments: self.segments.len(),
            bytes: self.bytes(),
            index_bytes: self.index_bytes,
            floor: Seq(oldest.0 - 1),
            newest: Seq(newest),
            newest_id,
            since: first.created,
            torn: last.1 - end,
        })
    }

    /// Visits every event in order, in bounded memory, and checks all of them.
    ///
    /// # Errors
    /// [`VisitError`] at the first damage, or if the visitor fails.
    pub fn visit(&self, visit: &mut dyn FnMut(Visit) -> io::Result<()>) -> Result<(), VisitError> {
        let mut read = 0;
        for number in 0..self.segments.len() {
            self.visit_segment(number, read, visit).map_err(|error| self.explain(number, error))?;
            read += self.segments[number].1;
        }
        Ok(())
    }

    /// A hub that removes a segment cuts it short too, which is no damage.
    fn explain(&self, number: usize, error: VisitError) -> VisitError {
        let name = names::segment(self.segments[number].0);
        match self.storage.open(&name) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                let doing = format!("read {name}: the hub that has it removed it meanwhile; try again");
                OpenError::Storage { doing, source }.into()
            }
            _ => error,
        }
    }

    /// Visits the events of the segment that begins with `base`.
    pub(super) fn visit_from(&self, base: u64, visit: &mut dyn FnMut(Visit)) -> Result<(), OpenError> {
        let number = self.segments.partition_point(|(other, _)| *other < base);
        let visited = self.visit_segment(number, 0, &mut |one| {
            visit(one);
            Ok(())
        });
        visited.map_err(VisitError::into_history)
    }

    /// The segment that holds this place, unless it begins with it.
    pub(super) fn segment_around(&self, seq: u64) -> Result<Option<(u64, Header)>, OpenError> {
        match self.bases().take_while(|base| *base <= seq).last() {
            Some(base) if base < seq => Ok(Some((base, self.open(base)?.1))),
            _ => Ok(None),
        }
    }

    /// The first events of all segments, oldest first.
    pub(super) fn bases(&self) -> impl Iterator<Item = u64> {
        self.segments.iter().map(|(base, _)| *base)
    }

    /// Visits one segment; what is before it has so many bytes.
    fn visit_segment(
        &self,
        number: usize,
        before: u64,
        visit: &mut dyn FnMut(Visit) -> io::Result<()>,
    ) -> Result<(), VisitError> {
        let Some(&(base, size)) = self.segments.get(number) else { return Ok(()) };
        let next = self.segments.get(number + 1).map(|(next, _)| *next);
        let name = names::segment(base);
        let corrupt = |offset, reason: &str| OpenError::Corrupt {
            file: name.clone(),
            offset,
            reason: reason.to_owned(),
        };
        let (file, header) = self.open(base)?;
        let mut scan = Scan::new(&*file, header.key.seed(), header::SIZE as u64, size);
        let mut seq = base;
        // What lies beyond the beginning of the next segment is no part of the history: see `trim`.
        while next != Some(seq) {
            let step = scan.next().map_err(OpenError::storage(format!("read {name}")))?;
            let (offset, reason) = match step {
                Step::End if next.is_none() => return Ok(()),
                Step::End => (size, "events are missing at its end"),
                Step::Record(offset, record) if record.seq == seq => {
                    let (bytes, size) = (Bytes::copy_from_slice(record.bytes()), record.size() as u64);
                    let event = record.event(&bytes).map_err(|flaw| corrupt(offset, flaw.reason()))?;
                    let stored = Stored { seq: Seq(seq), event: Arc::new(event) };
                    let read = before + offset + size;
                    visit(Visit { stored, at: record.at, bytes: size, read }).map_err(VisitError::Visitor)?;
                    seq += 1;
                    continue;
                }
                Step::Record(offset, _) => (offset, "its sequence number is wrong"),
                Step::Flaw(offset, reason) => (offset, reason),
            };
            let torn = next.is_none()
                && !recover::vouched(&*file, header.key.seed(), offset, size, seq)
                    .map_err(OpenError::storage(format!("read {name}")))?;
            return if torn { Ok(()) } else { Err(corrupt(offset, reason).into()) };
        }
        Ok(())
    }

    fn open(&self, base: u64) -> Result<(Arc<dyn LogFile>, Header), OpenError> {
        let name = names::segment(base);
        let file = self.storage.open(&name).map_err(OpenError::storage(format!("open {name}")))?;
        let header = recover::header(&*file).map_err(|error| OpenError::segment(name, error))?;
        Ok((file, header))
    }
}
