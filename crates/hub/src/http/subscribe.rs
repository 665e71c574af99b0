//! `GET` (or `QUERY`) of the hub: from a request to a subscription that may go live (SUB, REC).

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Response, request};
use petasos_protocol::{Cursor, parse_subscribe};

use super::{HubBody, Problem};
use crate::auth::Authorised;
use crate::dispatch::{Guard, Interest};
use crate::hub::{Hub, Inner};
use crate::transport::Seq;

/// A subscription that was judged and may be opened.
pub(crate) struct Subscription {
    pub(crate) interest: Arc<Interest>,
    pub(crate) start: Start,
    /// Second of the monotonic clock at which it ends.
    pub(crate) expires: Option<u64>,
    pub(crate) guard: Guard,
    token: Option<Arc<Authorised>>,
    headers: HeaderMap,
}

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// With what is published from now on.
    Live,
    /// After this place of the history.
    After(Seq),
}

impl Subscription {
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// The answer to `HEAD`: everything but the stream.
    pub(crate) fn into_head(self) -> Response<HubBody> {
        let mut response = Response::new(HubBody::empty());
        *response.headers_mut() = self.headers;
        response
    }
}

impl Hub {
    pub(crate) async fn subscribe(
        &self,
        parts: &request::Parts,
        form: Option<&[u8]>,
    ) -> Result<Subscription, Problem> {
        let inner = &self.inner;
        let request = parse_subscribe(parts.uri.query(), form, &inner.url, &inner.policy.subscribe_limits)?;
        let token = inner.subscriber(&parts.headers).await?;
        let grants = token.as_ref().map_or_else(|| Arc::from([]), |token| Arc::clone(token.subscribe()));
        let mut headers = stream_headers();
        let start = match header_cursor(&parts.headers).or(request.cursor) {
            None => Start::Live,
            Some(cursor) => inner.resolve(&cursor, &mut headers).await?,
        };
        Ok(Subscription {
            interest: Arc::new(Interest::new(request.matchers, grants)),
            start,
            expires: inner.end_of_life(token.as_ref().map(|token| token.expires())),
            guard: None,
            token,
            headers,
        })
    }

    /// Counts a subscription and tells of it; both end with it.
    pub(crate) fn open(
        &self,
        mut subscription: Subscription,
        parts: &request::Parts,
    ) -> Result<Subscription, Problem> {
        let inner = &self.inner;
        let token = subscription.token.take();
        let address = parts.extensions.get::<ClientAddress>().map(|address| address.0);
        let permit = inner.admission.admit(address, token.as_ref().map(|token| token.digest()))?;
        let registration = inner
            .activity
            .as_ref()
            .map(|activity| activity.register(subscription.interest.matchers(), token.as_deref()));
        if permit.is_some() || registration.is_some() {
            subscription.guard = Some(Box::new((permit, registration)));
        }
        Ok(subscription)
    }
}

impl Inner {
    /// Finds where a cursor points (REC.1-4) and tells the client what was found.
    async fn resolve(&self, cursor: &Cursor, headers: &mut HeaderMap) -> Result<Start, Problem> {
        let (start, answer) = match cursor {
            Cursor::Earliest => (Start::After(Seq(0)), EARLIEST),
            Cursor::After(id) => match self.transport.find(id).await? {
                Some(seq) => (Start::After(seq), HeaderValue::try_from(id.as_str()).unwrap_or(EARLIEST)),
                // Unknown or discarded: nothing is invented, the client is told that it may have missed something.
                None => (Start::Live, EARLIEST),
            },
        };
        headers.insert(LAST_EVENT_ID, answer);
        Ok(start)
    }

    /// The sooner of the token's end and the longest life that the hub allows, on the monotonic clock (SUB.10).
    fn end_of_life(&self, token_expires: Option<u64>) -> Option<u64> {
        let now = self.clock.monotonic_ms() / 1000;
        let by_token = token_expires.map(|at| now + at.saturating_sub(self.clock.unix_seconds()));
        let by_age = self.policy.max_lifetime.map(|life| now + self.shorten(life.as_secs()));
        by_token.into_iter().chain(by_age).min()
    }

    /// Up to a tenth less, at random: clients that came together must not come back together.
    fn shorten(&self, seconds: u64) -> u64 {
        let random = u64::from(self.ids.next().as_bytes()[15]);
        seconds - seconds / 10 * random / 255
    }
}

/// The address of the client that a request comes from. [`crate::server::serve`] adds it to each request; whoever mounts
/// [`Hub::handle`] elsewhere inserts it as an extension, for the limit per address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The header wins over the parameter (REC.1). One that is no text is no cursor.
fn header_cursor(headers: &HeaderMap) -> Option<Cursor> {
    let value = std::str::from_utf8(headers.get("last-event-id")?.as_bytes()).ok()?;
    Cursor::parse(value)
}

fn stream_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache, no-store, must-revalidate, max-age=0"),
    );
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("mercure-last-event-id");
const EARLIEST: HeaderValue = HeaderValue::from_static("earliest");
