//! `GET` (or `QUERY`) of the hub: from a request to a subscription that may go live (SUB, REC).

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Response, request};
use petasos_protocol::compat::Generation;
use petasos_protocol::{Cursor, parse_subscribe};

use super::{HubBody, Problem};
use crate::auth::Authorised;
use crate::dispatch::{Guard, Interest, Kept};
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
        let token = inner.subscriber(parts, request.generation).await?;
        let grants = token.as_ref().map_or_else(|| Arc::from([]), |token| Arc::clone(token.subscribe()));
        let mut headers = stream_headers();
        let start = match header_cursor(&parts.headers).or(request.cursor) {
            None => Start::Live,
            Some(cursor) => inner.resolve(&cursor, &mut headers).await?,
        };
        let is_earlier = request.generation != Generation::Current;
        if is_earlier && let Some(answer) = headers.get(&LAST_EVENT_ID).cloned() {
            headers.insert(EARLIER_LAST_EVENT_ID, answer);
        }
        Ok(Subscription {
            interest: Arc::new(Interest::new(request.matchers, grants).of_earlier(is_earlier)),
            start,
            expires: inner.end_of_life(token.as_ref().and_then(|token| token.expires())),
            guard: None,
            token,
            headers,
        })
    }

    /// Counts a subscription and tells of it; both end with it.
    pub(crate) async fn open(
        &self,
        mut subscription: Subscription,
        parts: &request::Parts,
    ) -> Result<Subscription, Problem> {
        let inner = &self.inner;
        let token = subscription.token.take();
        let address = parts.extensions.get::<ClientAddress>().map(|address| address.0);
        let permit = inner.admission.admit(address, token.as_ref().map(|token| token.digest()))?;
        let room = match &inner.activity {
            Some(activity) => activity.room(subscription.interest.matchers().len()).await,
            None => None,
        };
        if inner.activity.is_some() && subscription.start == Start::Live {
            // What is told of the subscription is told to the subscriber too, even if it is dispatched before the
            // subscription is.
            subscription.start = Start::After(inner.transport.bounds().newest);
        }
        let registration = inner
            .activity
            .as_ref()
            .map(|activity| activity.register(subscription.interest.matchers(), token.as_deref(), room));
        if permit.is_some() || registration.is_some() {
            subscription.guard = Some(Kept::new((permit, registration)));
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
                // Ids hold no control characters, so each of them can stand in a header.
                Some(seq) => (Start::After(seq), HeaderValue::from_bytes(id.as_bytes()).unwrap_or(EARLIEST)),
                // Unknown or discarded: nothing is invented, the client is told that it may have missed something.
                None => (Start::Live, EARLIEST),
            },
        };
        headers.insert(LAST_EVENT_ID, answer);
        Ok(start)
    }

    /// The sooner of the token's end and the longest life that the hub allows, on the monotonic clock (SUB.10).
    fn end_of_life(&self, token_expires: Option<u64>) -> Option<u64> {
        let (now_ms, unix_ms) = (self.clock.monotonic_ms(), self.clock.unix_ms());
        let now = now_ms / 1000;
        // Rounded down: a second too early is allowed, a second too late is not.
        let by_token =
            token_expires.map(|at| (now_ms + at.saturating_mul(1000).saturating_sub(unix_ms)) / 1000);
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

/// The header wins over the parameter (REC.1). One that is no text is an id that nobody has.
fn header_cursor(headers: &HeaderMap) -> Option<Cursor> {
    Cursor::parse(&String::from_utf8_lossy(headers.get("last-event-id")?.as_bytes()))
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
pub(super) const EARLIER_LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const EARLIEST: HeaderValue = HeaderValue::from_static("earliest");

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use petasos_protocol::HubUrl;
    use uuid::Uuid;

    use super::*;
    use crate::clock::Clock;
    use crate::ids::Ids;

    /// 10.9 seconds after its start it is 0.3 seconds past a full second.
    #[derive(Debug)]
    struct Fixed;

    impl Clock for Fixed {
        fn monotonic_ms(&self) -> u64 {
            10_900
        }

        fn unix_seconds(&self) -> u64 {
            1_800_000_000
        }

        fn unix_ms(&self) -> u64 {
            1_800_000_000_300
        }
    }

    #[derive(Debug)]
    struct Same(u8);

    impl Ids for Same {
        fn next(&self) -> Uuid {
            Uuid::from_bytes([self.0; 16])
        }
    }

    fn end_of_life(random: u8, life: Option<u64>, token: Option<u64>) -> Option<u64> {
        let url = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
        let hub = Hub::builder().public_url(url).clock(Fixed).ids(Same(random)).shards(1);
        hub.max_lifetime(life.map(Duration::from_secs)).build().unwrap().inner.end_of_life(token)
    }

    #[test]
    fn sub_10_a_stream_ends_no_later_than_its_token() {
        // Five seconds of the token are left less 0.3, which is 15.6 on the monotonic clock.
        assert_eq!(end_of_life(0, None, Some(1_800_000_005)), Some(15));
        assert_eq!(end_of_life(0, None, Some(1_799_999_999)), Some(10));
        assert_eq!(end_of_life(0, Some(3), Some(1_800_000_005)), Some(13));
        assert_eq!(end_of_life(0, Some(60), Some(1_800_000_005)), Some(15));
        assert_eq!(end_of_life(0, None, None), None);
    }

    #[test]
    fn sub_10_the_longest_life_is_shortened_by_up_to_a_tenth() {
        assert_eq!(end_of_life(0, Some(600), None), Some(610));
        assert_eq!(end_of_life(128, Some(600), None), Some(580));
        assert_eq!(end_of_life(255, Some(600), None), Some(550));
    }
}
