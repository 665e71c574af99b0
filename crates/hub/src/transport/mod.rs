//! Where updates are kept, and how they reach dispatch.
//!
//! A transport is the only order there is: it numbers each event, makes it as durable as configured, and hands it to its
//! follower in sequence order. Dispatch never sees an event that did not come through `follow`, so a transport that is
//! shared by several nodes needs no second path for the events of the others.
//!
//! Invariants of every implementation:
//! - sequence numbers increase by one from the first event that was ever appended, and are never reused;
//! - `append` resolves to `Ok` only after the event is as durable as configured;
//! - the follower sees every appended event exactly once, in order, before or while `append` resolves;
//! - what `read`, `find` or `bounds` shows was handed to the follower before, and what the follower was handed is shown once
//!   `deliver` has returned to the transport;
//! - what `read` returns is contiguous: an event in the middle of the history is never skipped.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use petasos_protocol::EventId;

use crate::event::Event;

pub mod conformance;
pub mod file;
mod memory;
pub use memory::{Memory, MemoryLimits};
mod url;
pub use url::{BadTransportUrl, TransportUrl};

/// The place of an event in the history; the first event ever appended has 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// The place right after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The place right before this one; the place before everything if there is none.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event with its place in the history.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its place.
    pub seq: Seq,
    /// The event itself.
    pub event: Arc<Event>,
}

/// What a transport holds at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// The place before the oldest event that can still be read.
    pub floor: Seq,
    /// The place of the newest event; equal to `floor` while the history is empty.
    pub newest: Seq,
    /// The id of the newest event that was ever appended.
    pub newest_id: Option<EventId>,
}

/// Receives every event, in sequence order.
pub trait Follower: Send + Sync + 'static {
    /// Takes the next event. Must not block: it runs while the transport holds its order.
    fn deliver(&self, stored: Stored);
}

/// A boxed future, so that transports are objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps updates and hands them to dispatch in one order.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Names the one that receives each event from now on, and says what was there before.
    /// The hub calls it once, before it accepts the first request.
    fn follow(&self, follower: Arc<dyn Follower>) -> Bounds;

    /// Appends an event and resolves once it is as durable as configured.
    ///
    /// # Errors
    /// [`AppendError`] if the event is not, and will not become, part of the history.
    fn append(&self, event: Arc<Event>) -> BoxFuture<'_, Result<Seq, AppendError>>;

    /// Reads the events that follow `after`, at most about `max_bytes` of them, at least one if there is one.
    /// Begins at the oldest event if `after` is no longer held.
    ///
    /// # Errors
    /// [`ReadError`] if the history cannot be read.
    fn read(&self, after: Seq, max_bytes: usize) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>>;

    /// Finds the earliest event of the history that has this id (REC.4).
    ///
    /// # Errors
    /// [`ReadError`] if the history cannot be read.
    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Seq>, ReadError>>;

    /// What the history holds now.
    fn bounds(&self) -> Bounds;

    /// Whether it can take events now; if not, why.
    ///
    /// # Errors
    /// One line for an operator.
    fn health(&self) -> Result<(), String> {
        Ok(())
    }

    /// Finishes what was accepted and releases what is held; later appends fail.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Why an event did not become part of the history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The transport is being closed.
    #[error("the history is closed")]
    Closed,
    /// There is no space; it may return, and appending is worth another try then.
    #[error("the history has no space left: {0}")]
    Full(String),
    /// The storage failed. If it failed to say whether it has the event, a restart may find it.
    #[error("the history cannot be written: {0}")]
    Storage(String),
}

/// Why the history could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the history cannot be read: {0}")]
pub struct ReadError(pub String);
