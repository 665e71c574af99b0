//! The seam to the disk: small enough that tests put a failing one in its place.
//!
//! The history relies on this and on nothing more:
//! - after [`LogFile::sync`] has returned `Ok`, the bytes and the size of the file survive a loss of power;
//! - after [`Storage::sync_names`] has returned `Ok`, so do creations, renamings and removals;
//! - [`Storage::rename`] replaces the target in one step.

use std::fmt;
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::OpenError;

/// A directory of files.
pub trait Storage: fmt::Debug + Send + Sync + 'static {
    /// The names of all files, in any order, with their sizes.
    ///
    /// # Errors
    /// If the directory cannot be read.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;

    /// Opens a file that exists.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none; anything else if it cannot be opened.
    fn open(&self, name: &str) -> io::Result<Arc<dyn LogFile>>;

    /// Makes an empty file, also in place of one that exists.
    ///
    /// # Errors
    /// If it cannot be made.
    fn create(&self, name: &str) -> io::Result<Arc<dyn LogFile>>;

    /// Gives a file another name, in place of what has that name.
    ///
    /// # Errors
    /// If it cannot be renamed.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none; anything else if it cannot be removed.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes creations, renamings and removals durable.
    ///
    /// # Errors
    /// If that cannot be said of all of them.
    fn sync_names(&self) -> io::Result<()>;

    /// Lets other processes have the directory.
    fn release(&self) {}

    /// What error messages call it.
    fn describe(&self) -> String;
}

/// An open file.
pub trait LogFile: fmt::Debug + Send + Sync {
    /// Reads some bytes at `offset`; 0 means the end of the file.
    ///
    /// # Errors
    /// If the file cannot be read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Reads like [`LogFile::read_at`], but only what needs no waiting for a disk.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if that is nothing, or cannot be known.
    fn read_at_once(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes some of the bytes at `offset`, perhaps not all.
    ///
    /// # Errors
    /// If none were written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes what was written durable, the size of the file included.
    ///
    /// # Errors
    /// If anything of it may not be durable. The state on the disk is unknown then, and a later call proves nothing.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file.
    ///
    /// # Errors
    /// If it could not be cut.
    fn truncate(&self, size: u64) -> io::Result<()>;

    /// Its size in bytes.
    ///
    /// # Errors
    /// If the system does not tell.
    fn size(&self) -> io::Result<u64>;
}

/// Whether to wait for a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Fail with [`io::ErrorKind::WouldBlock`] instead.
    No,
    /// As long as it takes.
    Yes,
}

/// Fills the buffer as far as the file goes; returns how far that is.
pub(super) fn fill(file: &dyn LogFile, buffer: &mut [u8], offset: u64, wait: Wait) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        let (rest, at) = (&mut buffer[filled..], offset + filled as u64);
        let read = match wait {
            Wait::No => file.read_at_once(rest, at),
            Wait::Yes => file.read_at(rest, at),
        };
        match read {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Fills the whole buffer.
pub(super) fn fill_all(file: &dyn LogFile, buffer: &mut [u8], offset: u64, wait: Wait) -> io::Result<()> {
    if fill(file, buffer, offset, wait)? < buffer.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Writes all the bytes. After an error, some of them may be there.
pub(super) fn write_all(file: &dyn LogFile, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match file.write_at(&bytes[written..], offset + written as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A directory of the file system, held by one process at a time.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Held for as long as the directory is ours; the system lets go of it when the process ends, however it ends.
    lock: Mutex<Option<fs::File>>,
}

impl Directory {
    /// Takes a directory, and makes it if there is none.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if another process has it; [`OpenError::Storage`] if it cannot be made or written.
    pub fn take(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let path = path.into();
        let failed = |doing| move |source| OpenError::Storage { doing, source };
        fs::create_dir_all(&path).map_err(failed(format!("make the directory {}", path.display())))?;
        let name = path.join(LOCK);
        let mut lock = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&name)
            .map_err(failed(format!("write to {}", name.display())))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who it is, is a courtesy; that it is in use, is certain.
                let known = lock.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
                let holder = known.then(|| holder.trim().to_owned());
                return Err(OpenError::InUse { directory: path.display().to_string(), holder });
            }
            Err(TryLockError::Error(source)) => {
                return Err(OpenError::Storage { doing: format!("lock {}", name.display()), source });
            }
        }
        let signed = lock.set_len(0).and_then(|()| writeln!(lock, "process {}", std::process::id()));
        if let Err(error) = signed {
            tracing::debug!(%error, "the lock of the history does not say who holds it");
        }
        Ok(Self { path, lock: Mutex::new(Some(lock)) })
    }

    /// Looks at a directory that another process may have. What it holds is only read.
    #[must_use]
    pub fn look(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), lock: Mutex::new(None) }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn holds(&self) -> bool {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl Storage for Directory {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            match entry.metadata() {
                Ok(metadata) if metadata.is_file() => files.push((name, metadata.len())),
                Ok(_) => {}
                // Removed meanwhile, which happens to those who only look.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        let file = OpenOptions::new().read(true).write(self.holds()).open(self.path.join(name))?;
        Ok(Arc::new(OsFile(file)))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        Ok(Arc::new(OsFile(options.open(self.path.join(name))?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        fs::File::open(&self.path)?.sync_all()
    }

    fn release(&self) {
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn describe(&self) -> String {
        self.path.display().to_string()
    }
}

#[derive(Debug)]
struct OsFile(fs::File);

impl LogFile for OsFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    #[cfg(target_os = "linux")]
    fn read_at_once(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        use rustix::fs::{Advice, fadvise};
        use rustix::io::{Errno, ReadWriteFlags, preadv2};

        let slices = &mut [io::IoSliceMut::new(buffer)];
        match preadv2(&self.0, slices, offset, ReadWriteFlags::NOWAIT) {
            Ok(read) => Ok(read),
            Err(Errno::AGAIN) => {
                // The disk fetches it while the caller goes to where it may wait. Only a hint: who waits reads in any case.
                let length = std::num::NonZeroU64::new(buffer.len() as u64);
                if let Err(error) = fadvise(&self.0, offset, length, Advice::WillNeed) {
                    tracing::trace!(%error, "the system takes no hints");
                }
                Err(io::ErrorKind::WouldBlock.into())
            }
            // Not every file system knows how.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn read_at_once(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }

    fn size(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }
}

const LOCK: &str = "lock";
