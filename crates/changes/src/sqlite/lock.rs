//! The lead over other processes: a lock on an empty file, which the system releases however the process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Error;

/// A lock that is taken or not.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    held: Mutex<Option<File>>,
}

impl Lock {
    /// The lock of a database file; one in memory belongs to its process anyway.
    pub(crate) fn beside(database: &Path) -> Option<Self> {
        if !database.is_file() {
            return None;
        }
        let mut path = database.as_os_str().to_owned();
        path.push("-relay");
        Some(Self { path: path.into(), held: Mutex::new(None) })
    }

    /// Takes or keeps it; `false` if somebody else has it. The file stays: to remove it would let two have a lock each.
    pub(crate) fn take(&self) -> Result<bool, Error> {
        let mut held = self.held();
        if held.is_some() {
            return Ok(true);
        }
        let refused = |error: &std::io::Error| Error::Lock {
            path: self.path.display().to_string(),
            reason: error.to_string(),
        };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.path);
        let file = file.map_err(|error| refused(&error))?;
        match file.try_lock() {
            Ok(()) => *held = Some(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(refused(&error)),
        }
        Ok(held.is_some())
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the other databases")]
    pub(crate) fn leave(&self) -> Result<(), Error> {
        *self.held() = None;
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Option<File>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
