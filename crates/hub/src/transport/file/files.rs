//! Files that are open for reading, a few at a time, however many segments there are.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::storage::{LogFile, Storage};

/// The files used last.
pub(super) struct Files {
    storage: Arc<dyn Storage>,
    /// Used last comes last.
    open: Mutex<Vec<(String, Arc<dyn LogFile>)>>,
}

impl Files {
    pub(super) fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, open: Mutex::default() }
    }

    pub(super) fn open(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        if let Some(file) = self.reuse(name) {
            return Ok(file);
        }
        let file = self.storage.open(name)?;
        let mut open = self.files();
        if open.len() >= MOST_OPEN {
            open.remove(0);
        }
        open.push((name.to_owned(), Arc::clone(&file)));
        Ok(file)
    }

    /// Closes a file: the space of one that is removed comes back when nobody has it open.
    pub(super) fn forget(&self, name: &str) {
        self.files().retain(|(open, _)| open != name);
    }

    fn reuse(&self, name: &str) -> Option<Arc<dyn LogFile>> {
        let mut open = self.files();
        let at = open.iter().position(|(open, _)| open == name)?;
        let found = open.remove(at);
        let file = Arc::clone(&found.1);
        open.push(found);
        Some(file)
    }

    fn files(&self) -> MutexGuard<'_, Vec<(String, Arc<dyn LogFile>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("open", &self.files().len()).finish_non_exhaustive()
    }
}

const MOST_OPEN: usize = 32;
