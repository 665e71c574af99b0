//! Where a shard and an HTTP body meet: for connections that hyper keeps (HTTP/2, TLS, a router of someone else).

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::backlog::{Backlog, BacklogLimits, Cut, Piece};
use super::interest::Interest;
use super::slots::Token;
use super::sync::{Mutex, MutexGuard, PoisonError};

/// The shared side of a subscription whose socket belongs to someone else.
#[derive(Default)]
pub(crate) struct Slot {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    backlog: Backlog,
    waker: Option<Waker>,
    token: Option<Token>,
    end: Option<End>,
    /// Given back with [`End::Behind`]; while a shard has the subscriber, its class has the interest.
    interest: Option<Arc<Interest>>,
}

/// Why nothing more comes through a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The stream is over.
    Cut(Cut),
    /// The shard no longer has everything that the subscriber lacks: read the history and attach again.
    Behind,
}

impl Slot {
    /// Adds a frame for the body to take; `true` if it had taken everything before.
    pub(crate) fn push(&self, frame: Piece, limits: &BacklogLimits) -> Result<bool, Cut> {
        let (waker, was_empty) = {
            let mut state = self.state();
            let was_empty = state.backlog.is_empty();
            state.backlog.push(frame, limits)?;
            (state.waker.take(), was_empty)
        };
        wake(waker);
        Ok(was_empty)
    }

    /// Bytes that the body has not taken.
    pub(crate) fn pending(&self) -> usize {
        self.state().backlog.bytes()
    }

    pub(crate) fn attach(&self, token: Token) {
        self.state().token = Some(token);
    }

    pub(crate) fn token(&self) -> Option<Token> {
        self.state().token
    }

    /// Gives the subscription back: its body has to read the history first.
    pub(crate) fn give_back(&self, interest: Arc<Interest>) {
        self.state().interest = Some(interest);
        self.end(End::Behind);
    }

    /// What the subscription asked for, once it was given back.
    pub(crate) fn take_interest(&self) -> Option<Arc<Interest>> {
        self.state().interest.take()
    }

    /// Ends the subscription. What is queued is still delivered unless the subscriber was too slow to deserve it.
    pub(crate) fn end(&self, end: End) {
        let waker = {
            let mut state = self.state();
            state.end = Some(end);
            state.token = None;
            if matches!(end, End::Cut(Cut::Bytes | Cut::Frames | Cut::Stalled | Cut::Budget)) {
                state.backlog = Backlog::default();
            }
            state.waker.take()
        };
        wake(waker);
    }

    /// The next bytes, or why there are none.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Bytes, End>> {
        let mut state = self.state();
        if let Some(bytes) = state.backlog.drain() {
            return Poll::Ready(Ok(bytes));
        }
        if let Some(end) = state.end {
            return Poll::Ready(Err(end));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
