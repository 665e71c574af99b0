//! A subscription as a body that hyper polls: first the history, then live.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use petasos_protocol::sse;

use super::{HubBody, Replay, Start, Subscription};
use crate::dispatch::{Attach, Attached, End, Guard, Interest, Slot, Target};
use crate::hub::Hub;
use crate::transport::{BoxFuture, ReadError, Seq};

/// One subscriber whose connection hyper keeps.
pub(crate) struct Live {
    hub: Hub,
    /// Second of the monotonic clock at which it ends; `u64::MAX` means never.
    expires: u64,
    /// Whether the first comment was handed out.
    begun: bool,
    state: State,
    _guard: Guard,
}

enum State {
    /// The history is being read.
    Reading(BoxFuture<'static, (Replay, Result<Option<Bytes>, ReadError>)>),
    /// A shard hands over what comes. `since` is where it began, to begin again there if it was too far behind.
    Attached {
        slot: Arc<Slot>,
        shard: Attached,
        since: Seq,
    },
    Ended,
}

impl Subscription {
    /// Opens the stream. What is published after this call reaches it.
    pub(crate) fn into_response(mut self, hub: &Hub) -> Response<HubBody> {
        let headers = std::mem::take(self.headers_mut());
        let mut response = Response::new(HubBody::stream(Live::open(hub.clone(), self)));
        *response.headers_mut() = headers;
        response
    }
}

impl Live {
    fn open(hub: Hub, subscription: Subscription) -> Self {
        let Subscription { interest, start, expires, guard, .. } = subscription;
        let expires = expires.unwrap_or(u64::MAX);
        let mut live = Self { hub, expires, begun: false, state: State::Ended, _guard: guard };
        match start {
            Start::Live => live.attach(interest, None),
            Start::After(seq) => live.read(Replay::new(live.hub.clone(), interest, seq)),
        }
        live
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if !self.begun {
            self.begun = true;
            return Poll::Ready(Some(Bytes::from_static(sse::HEARTBEAT)));
        }
        loop {
            match &mut self.state {
                State::Ended => return Poll::Ready(None),
                State::Reading(reading) => match reading.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready((replay, result)) => {
                        if let Some(bytes) = self.advance(replay, result) {
                            return Poll::Ready(Some(bytes));
                        }
                    }
                },
                State::Attached { slot, since, .. } => match slot.poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(bytes)) => return Poll::Ready(Some(bytes)),
                    Poll::Ready(Err(End::Behind)) => {
                        let (interest, since) = (slot.take_interest(), *since);
                        self.state = State::Ended;
                        if let Some(interest) = interest {
                            self.read(Replay::new(self.hub.clone(), interest, since));
                        }
                    }
                    Poll::Ready(Err(End::Cut(cut))) => {
                        tracing::debug!(?cut, "a subscription ended");
                        self.state = State::Ended;
                    }
                },
            }
        }
    }

    /// Takes what a read of the history brought; its end means to go live from there.
    fn advance(&mut self, replay: Replay, result: Result<Option<Bytes>, ReadError>) -> Option<Bytes> {
        match result {
            Ok(Some(bytes)) => {
                self.read(replay);
                return Some(bytes);
            }
            Ok(None) => {
                let after = replay.after();
                self.attach(replay.into_interest(), Some(after));
            }
            Err(error) => {
                // The client reconnects with its cursor; going live here would skip what could not be read.
                tracing::error!(%error, "a replay was broken off");
                self.state = State::Ended;
            }
        }
        None
    }

    fn read(&mut self, mut replay: Replay) {
        if self.expires <= self.hub.inner.clock.monotonic_ms() / 1000 {
            self.state = State::Ended;
            return;
        }
        self.state = State::Reading(Box::pin(async move {
            let result = replay.next().await;
            (replay, result)
        }));
    }

    /// The shard keeps the interest, once for all who share it.
    fn attach(&mut self, interest: Arc<Interest>, after: Option<Seq>) {
        let slot = Arc::new(Slot::default());
        let shard = self.hub.inner.dispatch.attach(Attach {
            interest,
            after,
            expires: Some(self.expires).filter(|at| *at < u64::MAX),
            first: Bytes::new(),
            target: Target::Slot(Arc::clone(&slot)),
            guard: None,
        });
        self.state = State::Attached { slot, shard, since: after.unwrap_or_default() };
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let State::Attached { slot, shard, .. } = &self.state {
            self.hub.inner.dispatch.detach(*shard, Arc::clone(slot));
        }
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}
