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

/// There is one for each stream of each connection, so it is kept small.
#[derive(Default)]
struct State {
    waiting: Waiting,
    waker: Option<Waker>,
    /// As a number, of which all ones are no token.
    token: Number,
    end: Option<End>,
}

/// What the body has not taken.
#[derive(Default)]
enum Waiting {
    #[default]
    Nothing,
    One(Box<Piece>),
    More(Box<Backlog>),
    /// With [`End::Behind`]. Until then the shard's class has it, and no shard queues anything for one that it gives back.
    Interest(Arc<Interest>),
}

impl Waiting {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Nothing | Self::Interest(_))
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Nothing | Self::Interest(_) => 0,
            Self::One(piece) => piece.bytes().len(),
            Self::More(backlog) => backlog.bytes(),
        }
    }

    /// Queues a frame, or leaves everything as it is.
    fn push(&mut self, frame: Piece, limits: &BacklogLimits) -> Result<(), Cut> {
        match self {
            Self::Nothing | Self::Interest(_) => *self = Self::One(Box::new(frame)),
            Self::One(first) => {
                let mut backlog = Box::<Backlog>::default();
                backlog.push(Piece::clone(first), limits)?;
                backlog.push(frame, limits)?;
                *self = Self::More(backlog);
            }
            Self::More(backlog) => backlog.push(frame, limits)?,
        }
        Ok(())
    }

    /// Takes everything as one piece.
    fn drain(&mut self) -> Option<Bytes> {
        match std::mem::take(self) {
            Self::Nothing => None,
            Self::One(piece) => Some(piece.bytes().clone()),
            Self::More(mut backlog) => backlog.drain(),
            Self::Interest(interest) => {
                *self = Self::Interest(interest);
                None
            }
        }
    }
}

struct Number(u64);

impl Default for Number {
    fn default() -> Self {
        Self(u64::MAX)
    }
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
            let was_empty = state.waiting.is_empty();
            state.waiting.push(frame, limits)?;
            (state.waker.take(), was_empty)
        };
        wake(waker);
        Ok(was_empty)
    }

    /// Bytes that the body has not taken.
    pub(crate) fn pending(&self) -> usize {
        self.state().waiting.bytes()
    }

    pub(crate) fn attach(&self, token: Token) {
        self.state().token = Number(token.as_u64());
    }

    pub(crate) fn token(&self) -> Option<Token> {
        let number = self.state().token.0;
        (number != u64::MAX).then_some(Token::from_u64(number))
    }

    /// Gives the subscription back: its body has to read the history first.
    pub(crate) fn give_back(&self, interest: Arc<Interest>) {
        self.state().waiting = Waiting::Interest(interest);
        self.end(End::Behind);
    }

    /// What the subscription asked for, once it was given back.
    pub(crate) fn take_interest(&self) -> Option<Arc<Interest>> {
        let mut state = self.state();
        match std::mem::take(&mut state.waiting) {
            Waiting::Interest(interest) => Some(interest),
            other => {
                state.waiting = other;
                None
            }
        }
    }

    /// Ends the subscription. What is queued is still delivered unless the subscriber was too slow to deserve it.
    pub(crate) fn end(&self, end: End) {
        let waker = {
            let mut state = self.state();
            state.end = Some(end);
            state.token = Number::default();
            if matches!(end, End::Cut(Cut::Bytes | Cut::Frames | Cut::Stalled | Cut::Budget)) {
                state.waiting = Waiting::Nothing;
            }
            state.waker.take()
        };
        wake(waker);
    }

    /// The next bytes, or why there are none.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Bytes, End>> {
        let mut state = self.state();
        if let Some(bytes) = state.waiting.drain() {
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
