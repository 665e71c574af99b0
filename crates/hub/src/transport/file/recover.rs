//! What a segment holds after whatever happened to it.
//!
//! Only the last segment may end in something half-written, and only after everything that was ever acknowledged. Each
//! record says up to where the segment was durable before it was written. So a flaw is a torn tail if no whole record
//! after it claims that this place was durable; it is cut off then. Otherwise something that was acknowledged is
//! damaged, and nothing is cut.

use std::fmt;
use std::io;

use super::header::{self, Header, HeaderFlaw, VERSION};
use super::record::{self, HEAD, Record};
use super::scan::{CHUNK, Scan, Source, Step};
use crate::transport::Seq;

/// What was found in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// The place of its first event.
    pub first: Seq,
    /// How many events it holds.
    pub events: u64,
    /// Where the last whole record ends.
    pub end: u64,
    /// Bytes after that, which were never acknowledged.
    pub torn: u64,
}

/// Why a segment cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum SegmentError {
    /// A later version wrote it.
    Future {
        /// The version of its format.
        version: u32,
    },
    /// Something that was acknowledged is damaged.
    Corrupt {
        /// Where.
        offset: u64,
        /// In what way.
        reason: &'static str,
    },
    /// It cannot be read.
    Io(io::Error),
}

impl fmt::Display for SegmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Future { version } => {
                write!(
                    f,
                    "its format is of version {version}, and this program knows versions up to {VERSION}"
                )
            }
            Self::Corrupt { offset, reason } => write!(f, "it is damaged at offset {offset}: {reason}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SegmentError {}

impl From<io::Error> for SegmentError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Recovers the last segment of a history from its bytes. Takes any bytes, and never panics.
///
/// # Errors
/// [`SegmentError`] if the segment is of a later version, or damaged where it was acknowledged.
pub fn recover(segment: &[u8]) -> Result<Recovered, SegmentError> {
    let size = segment.len() as u64;
    let header = header(segment)?;
    let mut events = 0;
    let end = tail(segment, size, &header, &mut |_, _| events += 1)?;
    Ok(Recovered { first: Seq(header.base), events, end, torn: size - end })
}

/// Reads the header.
pub(super) fn header<S: Source + ?Sized>(source: &S) -> Result<Header, SegmentError> {
    let mut bytes = [0; header::SIZE];
    let read = source.fill(&mut bytes, 0)?;
    Header::parse(&bytes[..read]).map_err(|flaw| match flaw {
        HeaderFlaw::Future(version) => SegmentError::Future { version },
        HeaderFlaw::Bad(reason) => SegmentError::Corrupt { offset: 0, reason },
    })
}

/// Visits the records of the last segment and says where they end.
pub(super) fn tail<S: Source + ?Sized>(
    source: &S,
    size: u64,
    header: &Header,
    visit: &mut dyn FnMut(u64, &Record<'_>),
) -> Result<u64, SegmentError> {
    let end = visit_records(source, size, header, visit)?;
    match end {
        Ok(end) => Ok(end),
        Err((offset, reason, seq)) if vouched(source, header.key.seed(), offset, size, seq)? => {
            Err(SegmentError::Corrupt { offset, reason })
        }
        Err((offset, ..)) => Ok(offset),
    }
}

/// Visits the records of a segment of which nothing may be missing.
pub(super) fn sealed<S: Source + ?Sized>(
    source: &S,
    size: u64,
    header: &Header,
    visit: &mut dyn FnMut(u64, &Record<'_>),
) -> Result<(), SegmentError> {
    visit_records(source, size, header, visit)?
        .map(drop)
        .map_err(|(offset, reason, _)| SegmentError::Corrupt { offset, reason })
}

/// Where the records end, or the first flaw: its offset, what it is, and the number that the record should have had.
type Visited = Result<u64, (u64, &'static str, u64)>;

fn visit_records<S: Source + ?Sized>(
    source: &S,
    size: u64,
    header: &Header,
    visit: &mut dyn FnMut(u64, &Record<'_>),
) -> io::Result<Visited> {
    let mut scan = Scan::new(source, header.key.seed(), header::SIZE as u64, size);
    let mut seq = header.base;
    loop {
        match scan.next()? {
            Step::Record(offset, record) if record.seq == seq => visit(offset, &record),
            Step::Record(offset, _) => return Ok(Err((offset, "its sequence number is wrong", seq))),
            Step::Flaw(offset, reason) => return Ok(Err((offset, reason, seq))),
            Step::End => return Ok(Ok(size)),
        }
        seq += 1;
    }
}

/// Whether a record after `flaw` says that the segment was durable beyond it. `seq` is the number that the record at the
/// flaw should have.
pub(super) fn vouched<S: Source + ?Sized>(
    source: &S,
    seed: u32,
    flaw: u64,
    end: u64,
    seq: u64,
) -> io::Result<bool> {
    let mut window = Vec::new();
    let mut from = flaw + 1;
    while from < end {
        // The head of a record may begin at the end of one window and go on in the next one.
        window.resize(CHUNK + HEAD, 0);
        let read = source.fill(&mut window, from)?;
        window.truncate(read);
        for within in 0..read.min(CHUNK) {
            let at = from + within as u64;
            let Some(head) = record::head(&window[within..]) else { continue };
            let plausible = head.seq > seq
                && head.seq - seq < MOST_EVENTS
                && u64::from(head.flushed) > flaw
                && u64::from(head.flushed) <= at
                && head.size as u64 <= end - at;
            if plausible && whole(source, seed, at, head.size)? {
                return Ok(true);
            }
        }
        from += CHUNK as u64;
    }
    Ok(false)
}

fn whole<S: Source + ?Sized>(source: &S, seed: u32, at: u64, size: usize) -> io::Result<bool> {
    let mut bytes = vec![0; size];
    let read = source.fill(&mut bytes, at)?;
    Ok(record::parse(&bytes[..read], seed).is_ok())
}

/// More than any segment holds.
const MOST_EVENTS: u64 = 1 << 24;
