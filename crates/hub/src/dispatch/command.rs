//! What the rest of the hub tells a shard.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use petasos_protocol::HubUrl;
use tokio::sync::oneshot;

use super::backlog::{BacklogLimits, Cut};
use super::interest::Interest;
use super::poll::Socket;
use super::record::part;
use super::slot::{End, Slot};
use crate::transport::{Seq, Stored};

/// What a shard is told.
pub(crate) enum Command<S> {
    /// An update, and when it was handed over (microseconds of the monotonic clock).
    Deliver(Stored, u64),
    Attach(Box<Attach<S>>),
    /// The body of this slot was dropped.
    Detach(Arc<Slot>),
    /// End so many subscriptions, and tell their clients when to come back.
    Release(usize),
    /// Close everyone and end.
    Stop,
}

/// A subscription that goes live.
pub(crate) struct Attach<S> {
    pub(crate) interest: Arc<Interest>,
    /// Everything up to here was sent; `None` means that only what comes from now on counts.
    pub(crate) after: Option<Seq>,
    /// Second (of the monotonic clock) at which it ends.
    pub(crate) expires: Option<u64>,
    /// What goes out before the first event.
    pub(crate) first: Bytes,
    pub(crate) target: Target<S>,
    pub(crate) guard: Guard,
}

/// Dropped when the subscription ends, whatever ends it.
pub(crate) type Guard = Option<Box<Kept>>;

/// What a subscription keeps for as long as it lasts. Behind a pointer of one word: most have nothing to keep.
pub(crate) struct Kept {
    _kept: Box<dyn Any + Send + Sync>,
}

impl Kept {
    pub(crate) fn new(kept: impl Send + Sync + 'static) -> Box<Self> {
        Box::new(Self { _kept: Box::new(kept) })
    }
}

/// Where the bytes of a subscription go.
pub(crate) enum Target<S> {
    /// A socket that is ours now. If the shard no longer has what the subscriber lacks it goes back through the sender.
    Socket(S, Option<oneshot::Sender<(S, Guard)>>),
    /// A body that hyper polls.
    Slot(Arc<Slot>),
}

/// What a shard is made with.
#[derive(Clone)]
pub(crate) struct ShardConfig {
    pub(crate) hub: HubUrl,
    /// Seconds of silence after which a comment is sent; 0 means never.
    pub(crate) heartbeat: u64,
    pub(crate) limits: BacklogLimits,
}

/// Ends a subscription that comes too late: the hub is stopping.
pub(crate) fn turn_away<S: Socket>(attach: Attach<S>) {
    match attach.target {
        Target::Slot(slot) => slot.end(End::Cut(Cut::Stopped)),
        Target::Socket(mut socket, _) => part(&mut socket, Cut::Stopped),
    }
}

/// Gives a subscription back that lacks more than the shard remembers.
pub(crate) fn refuse<S: Socket>(attach: Attach<S>) {
    match attach.target {
        Target::Slot(slot) => slot.give_back(attach.interest),
        Target::Socket(socket, Some(back)) => {
            if back.send((socket, attach.guard)).is_err() {
                tracing::debug!("nobody waits any more for a subscription that must read the history");
            }
        }
        Target::Socket(mut socket, None) => part(&mut socket, Cut::Stopped),
    }
}
