//! What has happened so far; all subscribers and the publisher write into it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::histogram::Histogram;

/// Counts and times.
#[derive(Debug)]
pub(super) struct Tally {
    began: Instant,
    /// Microseconds since `began` at which each update was sent; 0 before that.
    sent: Box<[AtomicU64]>,
    /// Subscribers that had the stream open at least once.
    pub(super) opened: AtomicUsize,
    /// Subscribers that the hub has refused for good.
    pub(super) refused: AtomicUsize,
    pub(super) reconnects: AtomicU64,
    pub(super) published: AtomicU64,
    pub(super) unpublished: AtomicU64,
    /// Events that came for the first time.
    pub(super) received: AtomicU64,
    pub(super) repeated: AtomicU64,
    pub(super) latency: Histogram,
    /// The first thing that went wrong.
    trouble: Mutex<Option<String>>,
    /// Something was counted.
    pub(super) progress: Notify,
}

impl Tally {
    pub(super) fn new(updates: usize) -> Self {
        Self {
            began: Instant::now(),
            sent: (0..updates).map(|_| AtomicU64::new(0)).collect(),
            opened: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            reconnects: AtomicU64::new(0),
            published: AtomicU64::new(0),
            unpublished: AtomicU64::new(0),
            received: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            latency: Histogram::new(),
            trouble: Mutex::new(None),
            progress: Notify::new(),
        }
    }

    pub(super) fn updates(&self) -> usize {
        self.sent.len()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
    }

    /// An update is about to be sent.
    pub(super) fn sends(&self, number: usize) {
        if let Some(sent) = self.sent.get(number) {
            sent.store(self.now(), Ordering::Relaxed);
        }
    }

    /// A subscriber has got it.
    pub(super) fn has(&self, number: usize, is_new: bool) {
        let Some(sent) = self.sent.get(number) else { return };
        if is_new {
            let micros = self.now().saturating_sub(sent.load(Ordering::Relaxed));
            self.latency.add(Duration::from_micros(micros));
            self.received.fetch_add(1, Ordering::Relaxed);
            self.progress.notify_one();
        } else {
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Something went wrong; only the first reason is kept.
    pub(super) fn troubled(&self, reason: impl FnOnce() -> String) {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(reason);
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many subscribers have everything that was published, or nothing has come for a while.
    pub(super) async fn arrived(&self, subscribers: usize, stopped: &watch::Receiver<bool>) {
        let patience = if *stopped.borrow() { SHORT_SILENCE } else { SILENCE };
        let expected = self.published.load(Ordering::Relaxed) * subscribers as u64;
        while self.received.load(Ordering::Relaxed) < expected {
            if tokio::time::timeout(patience, self.progress.notified()).await.is_err() {
                return;
            }
        }
    }
}

/// So long nothing may come before what is missing is given up.
const SILENCE: Duration = Duration::from_secs(10);
const SHORT_SILENCE: Duration = Duration::from_secs(2);
