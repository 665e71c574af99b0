//! Room for connections: open files are limited, and who comes when none is left is told so.
//!
//! Invariant: connections never take the last files. A few are kept for the history and for refusals, so existing
//! subscribers, publishes and the files of the hub go on working however many clients knock.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::linger;
use crate::dispatch::Metrics;

/// Raises the limit of open files of this process as far as the system allows without privileges; returns the limit, or
/// nothing where there is none.
///
/// # Errors
/// If the system does not let it be raised; it stays what it was.
#[cfg(unix)]
pub fn raise_open_files() -> io::Result<Option<u64>> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    }
    Ok(limit.maximum)
}

/// There is no such limit here.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn raise_open_files() -> io::Result<Option<u64>> {
    Ok(None)
}

/// Decides whether there is room for a connection.
pub(crate) struct Room {
    /// The first number of an open file that no connection gets.
    end: u64,
    limit: u64,
    /// Given up for a moment when not even a refusal has a file.
    spare: Option<File>,
    refusals: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    untold: AtomicU64,
    told: tokio::time::Instant,
}

impl Room {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        let limit = open_files();
        let kept = (limit / 16).clamp(LEAST_KEPT, MOST_KEPT);
        let refusals = Arc::new(Semaphore::new(usize::try_from(kept / 2).unwrap_or(1)));
        let told = tokio::time::Instant::now();
        let end = limit.saturating_sub(kept);
        Self { end, limit, spare: spare(), refusals, metrics, untold: AtomicU64::new(0), told }
    }

    /// Whether a connection that was accepted may stay. The system gives out the lowest free number, so a high one means
    /// that all below it are in use.
    pub(crate) fn has(&self, stream: &TcpStream) -> bool {
        number(stream) < self.end
    }

    /// Answers 503 and closes.
    pub(crate) fn refuse(&mut self, mut stream: TcpStream, plaintext: bool) {
        self.tell();
        if !plaintext {
            return;
        }
        let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() else {
            if let Err(error) = stream.try_write(REFUSAL.as_bytes()) {
                tracing::debug!(%error, "a refused client did not wait for the answer");
            }
            return;
        };
        tokio::spawn(async move {
            match tokio::time::timeout(REFUSAL_TIME, refuse(&mut stream)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a refused client did not wait for the answer"),
                Err(_) => tracing::debug!("a refused client did not close its connection"),
            }
            drop(permit);
        });
    }

    /// No file was left to accept with: the spare one is used to refuse whoever is first in the queue.
    pub(crate) async fn refuse_next(&mut self, listener: &TcpListener, plaintext: bool) {
        drop(self.spare.take());
        match tokio::time::timeout(Duration::from_millis(100), listener.accept()).await {
            Ok(Ok((stream, _))) => {
                self.tell();
                if plaintext && let Err(error) = stream.try_write(REFUSAL.as_bytes()) {
                    tracing::debug!(%error, "a refused client did not wait for the answer");
                }
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot even refuse connections; trying again in a second");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(_) => {}
        }
        self.spare = spare();
    }

    /// Says so at most once in a while, with how many it were.
    fn tell(&mut self) {
        self.metrics.refused_total.add(1);
        let untold = self.untold.fetch_add(1, Ordering::Relaxed) + 1;
        let now = tokio::time::Instant::now();
        if untold > 1 && now < self.told {
            return;
        }
        self.told = now + TELL_EVERY;
        self.untold.store(0, Ordering::Relaxed);
        tracing::error!(
            refused = untold,
            "no room for another connection: the process may have {} open files; raise the limit (`ulimit -n`, or LimitNOFILE= \
             of its systemd unit) or run more hubs",
            self.limit
        );
    }
}

/// Once the request is there, so that the answer is one to it.
async fn refuse(stream: &mut TcpStream) -> io::Result<()> {
    stream.readable().await?;
    stream.write_all(REFUSAL.as_bytes()).await?;
    linger::close(stream).await
}

/// Whether an error of `accept` means that no file is left, in the process or in the system.
pub(crate) fn is_full(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
    }
    #[cfg(not(unix))]
    {
        drop(error);
        false
    }
}

#[cfg(unix)]
fn open_files() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(not(unix))]
fn open_files() -> u64 {
    u64::MAX
}

#[cfg(unix)]
fn number(stream: &TcpStream) -> u64 {
    use std::os::fd::AsRawFd;
    u64::try_from(stream.as_raw_fd()).unwrap_or(u64::MAX)
}

#[cfg(not(unix))]
fn number(_: &TcpStream) -> u64 {
    0
}

/// Anything that takes a file and does nothing.
fn spare() -> Option<File> {
    if cfg!(unix) { File::open("/dev/null").ok() } else { None }
}

/// Files that connections leave to others: a sixteenth of all, but no fewer and no more than these.
const LEAST_KEPT: u64 = 16;
const MOST_KEPT: u64 = 256;
const REFUSAL_TIME: Duration = Duration::from_secs(2);
const TELL_EVERY: Duration = Duration::from_secs(10);
const REFUSAL: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
    retry-after: 5\r\nconnection: close\r\ncontent-length: 97\r\n\r\n\
    {\"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"The hub has no room for more connections.\"}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_says_how_long_it_is() {
        let (head, body) = REFUSAL.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
    }
}
