//! A file of the log with consecutive events.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::names;
use super::record::Fields;
use super::storage::{LogFile, Storage, write_all};

/// What is known of a segment without reading it.
pub(super) struct Segment {
    pub(super) base: u64,
    /// Bytes that may be read: whole records, as durable as configured.
    size: AtomicU64,
    /// Bytes that are certainly durable.
    flushed: AtomicU64,
    /// When it was made; read from its header the first time that it matters.
    pub(super) created: OnceLock<u64>,
    /// Where each event begins, until a file has that.
    offsets: Mutex<Option<Vec<u32>>>,
}

impl Segment {
    /// A segment whose events begin at `offsets`.
    pub(super) fn new(base: u64, size: u64, created: u64, offsets: Vec<u32>) -> Self {
        let segment = Self::sealed(base, size);
        *segment.offsets() = Some(offsets);
        segment.created.get_or_init(|| created);
        segment
    }

    /// A segment about which only its file knows more.
    pub(super) fn sealed(base: u64, size: u64) -> Self {
        Self {
            base,
            size: AtomicU64::new(size),
            flushed: AtomicU64::new(size),
            created: OnceLock::new(),
            offsets: Mutex::new(None),
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    pub(super) fn flushed(&self) -> u64 {
        self.flushed.load(Ordering::Acquire)
    }

    pub(super) fn set_flushed(&self, flushed: u64) {
        self.flushed.fetch_max(flushed, Ordering::AcqRel);
    }

    /// Lets readers have what was appended up to `size`.
    pub(super) fn grow(&self, offsets: impl Iterator<Item = u32>, size: u64) {
        if let Some(known) = self.offsets().as_mut() {
            known.extend(offsets);
        }
        self.size.store(size, Ordering::Release);
    }

    /// Where the event with this number begins, as far as memory knows.
    pub(super) fn known_offset(&self, seq: u64) -> Option<u64> {
        let offsets = self.offsets();
        let number = usize::try_from(seq.checked_sub(self.base)?).ok()?;
        offsets.as_ref()?.get(number).map(|offset| u64::from(*offset))
    }

    /// Writes the offsets to a file of their own and forgets them.
    pub(super) fn store_offsets(&self, storage: &dyn Storage) -> io::Result<()> {
        let Some(offsets) = self.offsets().clone() else { return Ok(()) };
        write_offsets(storage, self.base, &offsets)?;
        *self.offsets() = None;
        Ok(())
    }

    fn offsets(&self) -> std::sync::MutexGuard<'_, Option<Vec<u32>>> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment")
            .field("base", &self.base)
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

/// Writes `"petaoff\0"`, u32 version, u32 number of events, u64 base, then a u32 for each event.
///
/// A reader checks the record that it finds at an offset, so this file needs no checksum.
pub(super) fn write_offsets(storage: &dyn Storage, base: u64, offsets: &[u32]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(OFFSETS_HEAD + offsets.len() * 4);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(offsets.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&base.to_le_bytes());
    bytes.extend(offsets.iter().flat_map(|offset| offset.to_le_bytes()));
    let (name, draft) = (names::offsets(base), names::draft(&names::offsets(base)));
    let file = storage.create(&draft)?;
    write_all(&*file, &bytes, 0)?;
    file.sync()?;
    storage.rename(&draft, &name)
}

/// Where the event with this number begins, if the file says so.
pub(super) fn read_offset(file: &dyn LogFile, base: u64, seq: u64) -> io::Result<Option<u64>> {
    let mut head = [0; OFFSETS_HEAD];
    let read = super::storage::fill(file, &mut head, 0, super::storage::Wait::Yes)?;
    let mut fields = Fields(&head[..read]);
    let ours = fields.take(MAGIC.len()).is_some_and(|magic| magic == MAGIC)
        && fields.u32() == Some(VERSION)
        && fields.u32().is_some()
        && fields.u64() == Some(base);
    let Some(number) = seq.checked_sub(base).filter(|_| ours) else { return Ok(None) };
    let mut offset = [0; 4];
    let read =
        super::storage::fill(file, &mut offset, OFFSETS_HEAD as u64 + number * 4, super::storage::Wait::Yes)?;
    Ok((read == offset.len()).then(|| u64::from(u32::from_le_bytes(offset))))
}

const MAGIC: &[u8] = b"petaoff\0";
/// Files of another version are ignored.
const VERSION: u32 = 1;
const OFFSETS_HEAD: usize = 24;
