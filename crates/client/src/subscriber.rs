//! Receives updates from a hub, reconnecting where it left off.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use petasos_protocol::{HubUrl, Matcher, MatcherKind, sse};
use url::form_urlencoded;
use uuid::Uuid;

use crate::http::{ConfigError, Connections, Pool};
use crate::publisher::root_cause;

/// A subscription that lasts: call [`Subscriber::next`] again and again.
#[must_use]
pub struct Subscriber {
    uri: String,
    pool: Pool,
    token: Option<String>,
    last_event_id: String,
    retry: Duration,
    failures: u32,
    stream: Option<Stream>,
    pause: Option<Duration>,
}

struct Stream {
    body: Incoming,
    decoder: sse::Decoder,
}

/// What happens to a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// The hub has accepted the subscription: what is published from now on arrives.
    Open,
    /// An update.
    Message(sse::Message),
    /// The connection was lost; the next call waits so long and connects again.
    Reconnecting {
        /// Why.
        reason: String,
        /// How long it will wait.
        after: Duration,
    },
}

impl Subscriber {
    /// A subscription to what `matchers` select on the hub at `hub`. Connects with the first call of [`Subscriber::next`].
    ///
    /// # Errors
    /// [`ConfigError`] if the URL is none of a hub, there is no matcher, or the system's certificates cannot be read.
    pub fn new(hub: &str, matchers: &[Matcher]) -> Result<Self, ConfigError> {
        Self::over(&Connections::new()?, hub, matchers)
    }

    /// The same over connections that others use too.
    ///
    /// # Errors
    /// As [`Subscriber::new`].
    pub fn over(connections: &Connections, hub: &str, matchers: &[Matcher]) -> Result<Self, ConfigError> {
        let hub = HubUrl::parse(hub).map_err(|error| ConfigError(error.to_string()))?;
        if matchers.is_empty() {
            return Err(ConfigError(
                "a subscription needs at least one matcher; `*` selects everything".to_owned(),
            ));
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        for matcher in matchers {
            let name = match matcher.kind() {
                MatcherKind::Any => "match",
                MatcherKind::Exact(_) => "match_exact",
                MatcherKind::Pattern(_) => "match_urlpattern",
                // Hubs of every generation understand it.
                MatcherKind::Template(_) => "topic",
            };
            query.append_pair(name, matcher.source());
        }
        let uri = format!("{}?{}", hub.as_str(), query.finish());
        let (last_event_id, retry) = (String::new(), FIRST_PAUSE);
        Ok(Self {
            uri,
            pool: connections.0.clone(),
            token: None,
            last_event_id,
            retry,
            failures: 0,
            stream: None,
            pause: None,
        })
    }

    /// Authorises the subscription.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Begins after this event, or with `earliest` at the beginning of the history.
    pub fn last_event_id(mut self, id: impl Into<String>) -> Self {
        self.last_event_id = id.into();
        self
    }

    /// What happens next. Cancelling the call loses nothing.
    ///
    /// # Errors
    /// [`SubscribeError`] if the hub refuses the subscription or says that it is over; trying again would not help.
    pub async fn next(&mut self) -> Result<Signal, SubscribeError> {
        if let Some(pause) = self.pause {
            tokio::time::sleep(pause).await;
            self.pause = None;
        }
        let Some(stream) = &mut self.stream else { return self.connect().await };
        let reason = loop {
            if let Some(message) = stream.decoder.next_message() {
                stream.decoder.last_event_id().clone_into(&mut self.last_event_id);
                self.failures = 0;
                return Ok(Signal::Message(message));
            }
            match stream.body.frame().await {
                Some(Ok(frame)) => {
                    let fed = frame.data_ref().map_or(Ok(()), |data| stream.decoder.feed(data));
                    if let Some(retry) = stream.decoder.retry() {
                        self.retry = Duration::from_millis(retry);
                    }
                    fed.map_err(|error| SubscribeError::Stream(error.to_string()))?;
                }
                Some(Err(error)) => break root_cause(&error),
                None => break "the hub ended the stream".to_owned(),
            }
        };
        Ok(self.lost(reason))
    }

    async fn connect(&mut self) -> Result<Signal, SubscribeError> {
        let request = self.request()?;
        let response = match self.pool.request(request).await {
            Ok(response) => response,
            Err(error) => return Ok(self.lost(root_cause(&error))),
        };
        let status = response.status();
        if status == StatusCode::OK {
            self.stream = Some(Stream { body: response.into_body(), decoder: sse::Decoder::new() });
            return Ok(Signal::Open);
        }
        if status == StatusCode::NO_CONTENT {
            return Err(SubscribeError::Over);
        }
        if status == StatusCode::REQUEST_TIMEOUT
            || status == StatusCode::TOO_MANY_REQUESTS
            || status.is_server_error()
        {
            return Ok(self.lost(format!("the hub answered {status}")));
        }
        let body = Limited::new(response.into_body(), 64 << 10).collect().await;
        let body =
            body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()).unwrap_or_default();
        Err(SubscribeError::Refused { status, detail: body.chars().take(500).collect() })
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, SubscribeError> {
        let invalid = |error: &dyn fmt::Display| SubscribeError::Request(error.to_string());
        let mut request = Request::get(&self.uri).header(ACCEPT, "text/event-stream");
        if !self.last_event_id.is_empty() {
            let id =
                HeaderValue::from_bytes(self.last_event_id.as_bytes()).map_err(|error| invalid(&error))?;
            request = request.header("last-event-id", id);
        }
        if let Some(token) = &self.token {
            let mut header =
                HeaderValue::try_from(format!("Bearer {token}")).map_err(|error| invalid(&error))?;
            header.set_sensitive(true);
            request = request.header(AUTHORIZATION, header);
        }
        request.body(Full::default()).map_err(|error| invalid(&error))
    }

    /// Doubles the pause with each failure, up to half a minute, and varies it so that clients do not come back together.
    fn lost(&mut self, reason: String) -> Signal {
        self.stream = None;
        let pause = (self.retry * 2u32.saturating_pow(self.failures.min(10))).min(LAST_PAUSE.max(self.retry));
        let random = u32::from(Uuid::new_v4().as_bytes()[0]);
        let pause = pause / 2 + pause / 2 * random / 255;
        self.failures += 1;
        self.pause = Some(pause);
        Signal::Reconnecting { reason, after: pause }
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("uri", &self.uri)
            .field("open", &self.stream.is_some())
            .finish_non_exhaustive()
    }
}

/// Why a subscription cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The hub refuses it.
    #[error("the hub answered {status}: {detail}")]
    Refused {
        /// What it answered.
        status: StatusCode,
        /// What it said.
        detail: String,
    },
    /// The hub asked not to come back.
    #[error("the hub says that the subscription is over")]
    Over,
    /// The stream cannot be read.
    #[error("the stream cannot be read: {0}")]
    Stream(String),
    /// The request cannot be made.
    #[error("the request cannot be made: {0}")]
    Request(String),
}

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(30);
