//! Reading events and finding ids.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::header::Header;
use super::ids::RunError;
use super::log::{Log, Span};
use super::names;
use super::record::{self, Flaw};
use super::recover;
use super::scan::{Scan, Step};
use super::segment::read_offset;
use super::storage::{LogFile, Wait, fill};
use crate::transport::{ReadError, Seq, Stored};

/// Why something was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadFlaw {
    /// It would take a disk, and the caller does not want to wait for one.
    #[error("it is not in memory")]
    WouldBlock,
    /// The segment was removed meanwhile.
    #[error("it was removed meanwhile")]
    Gone,
    #[error("{file} is damaged at offset {offset}: {reason}")]
    Corrupt { file: String, offset: u64, reason: &'static str },
    #[error("{file} is damaged ({error}): stop the hub, remove the file, start again, and it is made anew")]
    Index { file: String, error: RunError },
    #[error("{file}: {source}")]
    Io { file: String, source: io::Error },
}

impl From<ReadFlaw> for ReadError {
    fn from(flaw: ReadFlaw) -> Self {
        Self(flaw.to_string())
    }
}

/// Reads events after a place: at least one if there is one, about `max_bytes` at most, all from one segment.
pub(super) fn read(log: &Log, after: Seq, max_bytes: usize) -> Result<Vec<Stored>, ReadFlaw> {
    loop {
        let Some(span) = log.span(after) else { return Ok(Vec::new()) };
        match read_span(log, &span, max_bytes) {
            // Retention was faster: begin again, at what is the oldest event now. Whatever it was, the file is being removed.
            Err(_) if !log.holds(span.segment.base) => {}
            other => return other,
        }
    }
}

fn read_span(log: &Log, span: &Span, max_bytes: usize) -> Result<Vec<Stored>, ReadFlaw> {
    let name = names::segment(span.segment.base);
    let file = open(log, &name)?;
    let mut offset = locate(log, span, &*file, &name)?;
    let mut window = max_bytes.clamp(SMALLEST_WINDOW, LARGEST_WINDOW);
    loop {
        let rest = usize::try_from(span.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; window.min(rest)];
        let read = fill(&*file, &mut bytes, offset, Wait::Yes).map_err(|error| failed(&name, error))?;
        bytes.truncate(read);
        let parsed = parse(&Bytes::from(bytes), span, max_bytes, log.key.seed());
        match parsed {
            Ok(events) => return Ok(events),
            Err((_, Flaw::Short(needed))) if needed > window && needed <= rest => window = needed,
            Err((at, flaw)) => {
                offset += at as u64;
                let reason = match flaw {
                    Flaw::Short(_) => "events are missing at its end",
                    Flaw::Bad(reason) => reason,
                };
                return Err(ReadFlaw::Corrupt { file: name, offset, reason });
            }
        }
    }
}

/// The events that bytes hold, or why not even the first one is there.
fn parse(bytes: &Bytes, span: &Span, max_bytes: usize, seed: u32) -> Result<Vec<Stored>, (usize, Flaw)> {
    let mut events = Vec::new();
    let (mut at, mut sent) = (0, 0);
    for seq in span.from..=span.last {
        let record = match record::parse(&bytes[at..], seed) {
            Ok(record) if record.seq == seq => record,
            // What is whole goes out first; the next read begins at the flaw and reports it.
            _ if !events.is_empty() => break,
            Ok(_) => return Err((at, Flaw::Bad("its sequence number is wrong"))),
            Err(flaw) => return Err((at, flaw)),
        };
        let event = match record.event(&bytes.slice(at..)) {
            Ok(event) => event,
            Err(_) if !events.is_empty() => break,
            Err(flaw) => return Err((at, flaw)),
        };
        at += record.size();
        sent += event.frame().len();
        events.push(Stored { seq: Seq(seq), event: Arc::new(event) });
        if sent >= max_bytes {
            break;
        }
    }
    Ok(events)
}

/// The offset at which the first wanted event begins.
fn locate(log: &Log, span: &Span, file: &dyn LogFile, name: &str) -> Result<u64, ReadFlaw> {
    if let Some(offset) = span.segment.known_offset(span.from) {
        return Ok(offset);
    }
    if let Some(offset) = stored_offset(log, span)?
        && begins_at(file, offset, span).map_err(|error| failed(name, error))?
    {
        return Ok(offset);
    }
    walk_to(file, name, span)
}

fn stored_offset(log: &Log, span: &Span) -> Result<Option<u64>, ReadFlaw> {
    let name = names::offsets(span.segment.base);
    match log.files.open(&name) {
        Ok(file) => read_offset(&*file, span.segment.base, span.from).map_err(|error| failed(&name, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&name, error)),
    }
}

/// Whether a stored offset is true.
fn begins_at(file: &dyn LogFile, offset: u64, span: &Span) -> io::Result<bool> {
    let mut head = [0; record::HEAD];
    let read = fill(file, &mut head, offset, Wait::Yes)?;
    Ok(record::head(&head[..read]).is_some_and(|head| head.seq == span.from))
}

/// Without offsets, which are derived, only the records themselves know.
fn walk_to(file: &dyn LogFile, name: &str, span: &Span) -> Result<u64, ReadFlaw> {
    let header = header(file, name)?;
    let mut scan = Scan::new(file, header.key.seed(), super::header::SIZE as u64, span.size);
    loop {
        match scan.next().map_err(|error| failed(name, error))? {
            Step::Record(offset, record) if record.seq == span.from => return Ok(offset),
            Step::Record(..) => {}
            Step::Flaw(offset, reason) => {
                return Err(ReadFlaw::Corrupt { file: name.to_owned(), offset, reason });
            }
            Step::End => {
                let reason = "events are missing at its end";
                return Err(ReadFlaw::Corrupt { file: name.to_owned(), offset: span.size, reason });
            }
        }
    }
}

/// Reads the header of a segment.
pub(super) fn header(file: &dyn LogFile, name: &str) -> Result<Header, ReadFlaw> {
    recover::header(file).map_err(|error| match error {
        recover::SegmentError::Io(error) => failed(name, error),
        recover::SegmentError::Corrupt { offset, reason } => {
            ReadFlaw::Corrupt { file: name.to_owned(), offset, reason }
        }
        recover::SegmentError::Future { .. } => {
            ReadFlaw::Corrupt { file: name.to_owned(), offset: 8, reason: "its format is of a later version" }
        }
    })
}

pub(super) fn open(log: &Log, name: &str) -> Result<Arc<dyn LogFile>, ReadFlaw> {
    log.files.open(name).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReadFlaw::Gone,
        _ => failed(name, error),
    })
}

fn failed(name: &str, source: io::Error) -> ReadFlaw {
    ReadFlaw::Io { file: name.to_owned(), source }
}

/// Finds the earliest event with this id that may still be read (REC.4).
pub(super) fn find(log: &Log, id: &str, wait: Wait) -> Result<Option<Seq>, ReadFlaw> {
    let hash = log.key.hash(id);
    let ids = log.ids(hash);
    for run in ids.runs.iter().filter(|run| *run.range().end() > ids.floor) {
        match run.find(hash, ids.floor, wait) {
            Ok(None) => {}
            Ok(found) => return Ok(found.map(Seq)),
            Err(RunError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(ReadFlaw::WouldBlock);
            }
            Err(error) => {
                let file = names::run(*run.range().start(), *run.range().end());
                return Err(ReadFlaw::Index { file, error });
            }
        }
    }
    let sealing = ids.sealing.iter().find_map(|ids_of| ids_of.find(hash, ids.floor));
    Ok(sealing.or(ids.active).map(Seq))
}

/// Small reads are dear, and a usual event fits.
const SMALLEST_WINDOW: usize = 4 << 10;
const LARGEST_WINDOW: usize = 1 << 20;
