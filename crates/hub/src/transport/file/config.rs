//! How a history is kept.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::recover::SegmentError;
use super::{File, Storage};
use crate::clock::{Clock, SystemClock};

/// When a publish is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Once it survives a loss of power. Publishers that wait at the same moment share the flush.
    #[default]
    Fsync,
    /// Once the operating system has it: it survives the end of the process, and what is about a second older than a loss
    /// of power survives that too.
    Os,
}

/// How much is kept. Limits are applied all the time; what is older goes first, a segment at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Number of events; older ones cannot be read from the moment on in which there are more.
    pub max_events: Option<u64>,
    /// Time since an event was published; it goes at most an eighth of that later.
    pub max_age: Option<Duration>,
    /// Bytes of all files together.
    pub max_bytes: Option<u64>,
}

impl Retention {
    /// Keeps everything.
    pub const UNLIMITED: Self = Self { max_events: None, max_age: None, max_bytes: None };
}

impl Default for Retention {
    /// 16 GiB, which is about 20 million events of usual size.
    fn default() -> Self {
        Self { max_bytes: Some(16 << 30), ..Self::UNLIMITED }
    }
}

/// Describes a history in a directory.
#[must_use]
#[derive(Clone, Debug)]
pub struct FileConfig {
    pub(super) directory: PathBuf,
    pub(super) durability: Durability,
    pub(super) retention: Retention,
    pub(super) segment_bytes: u64,
    pub(super) clock: Arc<dyn Clock>,
}

impl FileConfig {
    /// A history in this directory, which is made if there is none.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            durability: Durability::default(),
            retention: Retention::default(),
            segment_bytes: DEFAULT_SEGMENT,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// When a publish is acknowledged; once it survives a loss of power by default.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How much is kept; 16 GiB by default.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Size at which a segment is full; 64 MiB by default, less if retention asks for finer steps.
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// Where the time comes from.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Opens the history.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub fn open(self) -> Result<File, OpenError> {
        let directory = super::Directory::take(&self.directory)?;
        self.open_on(Arc::new(directory))
    }

    /// Opens the history on a storage of one's own; the directory is not looked at.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub fn open_on(self, storage: Arc<dyn Storage>) -> Result<File, OpenError> {
        File::start(self, storage)
    }

    /// The size at which a segment is full.
    pub(super) fn full_at(&self) -> u64 {
        let share = self.retention.max_bytes.map_or(u64::MAX, |bytes| bytes / SHARE);
        self.segment_bytes.min(share).clamp(SMALLEST_SEGMENT, LARGEST_SEGMENT)
    }

    /// The number of events at which a segment is full.
    pub(super) fn full_with(&self) -> u64 {
        let share = self.retention.max_events.map_or(u64::MAX, |events| events / SHARE);
        share.clamp(FEWEST_EVENTS, MOST_EVENTS)
    }

    /// The age of its first event at which a segment is full, in seconds.
    pub(super) fn full_after(&self) -> Option<u64> {
        self.retention.max_age.map(|age| (age.as_secs() / SHARE).max(1))
    }
}

/// Why a history cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the history {directory} is in use by another process{}: stop that one, or choose another directory",
        .holder.as_ref().map(|holder| format!(" ({holder})")).unwrap_or_default()
    )]
    InUse {
        /// Its directory.
        directory: String,
        /// Which process that is, if it said so.
        holder: Option<String>,
    },
    /// A later version of the program wrote it.
    #[error(
        "{file} was written by a later version (its format is {version}, this program knows {}): \
         use that version, or choose another directory",
        super::header::VERSION
    )]
    Future {
        /// The file.
        file: String,
        /// The version of its format.
        version: u32,
    },
    /// Something that was acknowledged is damaged.
    #[error(
        "{file} is damaged at offset {offset}: {reason}; nothing was changed. \
         Restore the directory from a backup, or choose another one"
    )]
    Corrupt {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
        /// In what way.
        reason: String,
    },
    /// The system refused something.
    #[error("cannot {doing}: {source}")]
    Storage {
        /// What it refused.
        doing: String,
        /// Why.
        source: io::Error,
    },
}

impl OpenError {
    pub(super) fn storage(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Storage { doing, source }
    }

    pub(super) fn segment(file: String, error: SegmentError) -> Self {
        match error {
            SegmentError::Future { version } => Self::Future { file, version },
            SegmentError::Corrupt { offset, reason } => {
                Self::Corrupt { file, offset, reason: reason.to_owned() }
            }
            SegmentError::Io(source) => Self::Storage { doing: format!("read {file}"), source },
        }
    }
}

/// Retention removes whole segments, so a segment is at most this part of what is kept.
const SHARE: u64 = 8;
const DEFAULT_SEGMENT: u64 = 64 << 20;
const SMALLEST_SEGMENT: u64 = 4 << 10;
/// Offsets within a segment are 32 bits, and the largest record may come on top.
const LARGEST_SEGMENT: u64 = 1 << 30;
const FEWEST_EVENTS: u64 = 1 << 10;
/// What the ids of a segment take in memory while it is written: about 5 MiB.
const MOST_EVENTS: u64 = 1 << 17;
