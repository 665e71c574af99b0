//! A history in a directory: a log of segments, made for one writer that many publishers wait for.
//!
//! A record is appended to the last segment and acknowledged once it is as durable as configured; publishers that wait
//! at the same moment share one write and one flush. A full segment is sealed: its ids go into a run (a sorted file that
//! never changes), so any id is found by a few reads. Retention removes whole segments, oldest first. Everything but the
//! segments themselves can be made again from them.
//!
//! The writer ([`writer`]) appends and hands events to the follower, the keeper ([`keeper`]) indexes, merges and removes,
//! readers read on a few threads of their own ([`readers`]). `docs/design/history.md` has the layout, the invariants and the reasons.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

mod archive;
pub use archive::{Archive, Summary, Visit, VisitError};
mod config;
pub use config::{Durability, FileConfig, OpenError, Retention};
mod files;
mod header;
mod ids;
mod keeper;
use keeper::Keeper;
mod log;
use log::{Indexed, Log};
mod names;
mod open;
mod queue;
mod reader;
use reader::ReadFlaw;
mod readers;
use readers::Readers;
mod record;
mod recover;
pub use recover::{Recovered, SegmentError, recover};
mod scan;
mod segment;
#[cfg(test)]
mod sim;
mod storage;
use storage::Wait;
pub use storage::{Directory, LogFile, Storage};
#[cfg(test)]
mod tests;
mod trim;
pub use trim::{Trimmed, trim};
mod writer;
use writer::Writer;

use super::{AppendError, Bounds, BoxFuture, Follower, ReadError, Seq, Stored, Transport};
use crate::event::Event;

/// A durable history in a directory. Made by [`FileConfig::open`].
///
/// One that is dropped without [`Transport::close`] still writes what it has accepted, but nobody waits for it.
pub struct File {
    log: Arc<Log>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    readers: Arc<Readers>,
}

impl File {
    pub(super) fn start(config: FileConfig, storage: Arc<dyn Storage>) -> Result<Self, OpenError> {
        let opened = open::open(&config, &*storage)?;
        let log = Arc::new(Log::new(storage, config, opened.key, opened.state));
        let writer = Writer::new(Arc::clone(&log), opened.last);
        let keeper = Keeper::new(Arc::clone(&log));
        let file = Self { log, threads: Mutex::default(), readers: Arc::default() };
        file.spawn("petasos-writer", move || writer.run())?;
        file.spawn("petasos-keeper", move || keeper.run())?;
        for _ in 0..READERS {
            let readers = Arc::clone(&file.readers);
            file.spawn("petasos-reader", move || readers.work())?;
        }
        Ok(file)
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(run).map_err(OpenError::storage("start a thread"))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Applies retention, indexes and merges now, all that is due, and resolves when that is done. It is done all the time
    /// anyway, within seconds.
    ///
    /// # Errors
    /// What it could not do.
    pub async fn tidy(&self) -> Result<(), ReadError> {
        let closed = |_| ReadError("it is closed".to_owned());
        let (done, looked) = oneshot::channel();
        self.log.queue.look(Some(done));
        looked.await.map_err(closed)?;
        let (done, finished) = oneshot::channel();
        self.log.orders.tidy(done);
        match finished.await.map_err(closed)? {
            None => Ok(()),
            Some(trouble) => Err(ReadError(trouble)),
        }
    }

    /// Bytes of all its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.log.state().bytes()
    }

    /// Waits until every id can be found: after a crash, those of the segments before the last one may be read again.
    async fn indexed(&self) -> Result<(), ReadError> {
        let mut indexed = self.log.indexed.subscribe();
        match indexed.wait_for(|indexed| *indexed != Indexed::Missing).await.as_deref() {
            Ok(Indexed::Failed(reason)) => Err(ReadError(reason.clone())),
            Ok(Indexed::All | Indexed::Missing) => Ok(()),
            Err(_) => Err(ReadError("it is closed".to_owned())),
        }
    }

    /// The writer ends when it has written what it accepted, and ends the keeper, which it may need until then.
    fn stop(&self) {
        self.log.queue.close();
        self.readers.close();
    }
}

impl Transport for File {
    fn follow(&self, follower: Arc<dyn Follower>) -> Bounds {
        self.log.follow(Some(follower))
    }

    fn append(&self, event: Arc<Event>) -> BoxFuture<'_, Result<Seq, AppendError>> {
        if !record::fits(&event) {
            return Box::pin(async { Err(AppendError::Storage("the update is too large".to_owned())) });
        }
        let pushed = self.log.queue.push(event);
        Box::pin(async move {
            let ended = |_| AppendError::Storage("the writer has ended".to_owned());
            pushed?.await.map_err(ended)?
        })
    }

    fn read(&self, after: Seq, max_bytes: usize) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        let log = Arc::clone(&self.log);
        Box::pin(async move { Ok(self.readers.run(move || reader::read(&log, after, max_bytes)).await??) })
    }

    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Seq>, ReadError>> {
        Box::pin(async move {
            self.indexed().await?;
            for _ in 0..LOOKS {
                match reader::find(&self.log, id, Wait::No) {
                    Err(ReadFlaw::WouldBlock) => tokio::task::yield_now().await,
                    done => return Ok(done?),
                }
            }
            let (log, id) = (Arc::clone(&self.log), id.to_owned());
            Ok(self.readers.run(move || reader::find(&log, &id, Wait::Yes)).await??)
        })
    }

    fn bounds(&self) -> Bounds {
        self.log.bounds()
    }

    fn health(&self) -> Result<(), String> {
        self.log.queue.broken().map_or(Ok(()), Err)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.stop();
            let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
            let joined = tokio::task::spawn_blocking(move || {
                threads.into_iter().map(JoinHandle::join).filter(Result::is_err).count()
            });
            if !matches!(joined.await, Ok(0)) {
                tracing::error!("a thread of the history ended by a panic");
            }
            self.log.follow(None);
            self.log.storage.release();
        })
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("log", &self.log).finish_non_exhaustive()
    }
}

/// How often a look-up looks again, with others in between, whether the disk has brought what it was asked for: for about
/// three times as long as a usual disk takes. A thread that waits for it wakes up later than this sees it, and then has to
/// wake up whoever asked; a disk that is slower than that gets such a thread.
const LOOKS: usize = 256;

/// How many readers may wait for the disk at a time.
const READERS: usize = 8;

/// Whether an error says that there is no space, which may return.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
