//! Publishes updates to a hub over HTTP.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use petasos_protocol::compat::Generation;
use petasos_protocol::token::ClaimsBuilder;
use petasos_protocol::{EventId, HubUrl, Matcher, Update, encode_publish};
use serde_json::json;

use crate::http::{ConfigError, Pool, pool};
use crate::recording::Recording;
use crate::token::{Credential, MintError, Secret, mint, mint_earlier};

/// Publishes to one hub. Share it: it keeps its connections and its token.
pub struct Publisher {
    way: Way,
    credential: Credential,
    /// The first one is also the issuer of the tokens that are made.
    audience: Vec<String>,
    generation: Generation,
    token: Mutex<Option<Token>>,
}

/// How updates leave.
enum Way {
    Http {
        uri: Uri,
        pool: Box<Pool>,
    },
    /// They stay here, for a test to look at.
    Recording(Recording),
}

struct Token {
    header: HeaderValue,
    expires: u64,
}

impl Publisher {
    /// A publisher to the hub at `hub`. Tokens that it makes name all of `audience` as their audience, and the first of it
    /// as their issuer: usually the hub's public URL.
    ///
    /// # Errors
    /// [`ConfigError`] if the URL is none of a hub or the system's certificates cannot be read.
    pub fn new(hub: &str, credential: Credential, audience: &[&str]) -> Result<Self, ConfigError> {
        let hub = HubUrl::parse(hub).map_err(|error| ConfigError(error.to_string()))?;
        let uri =
            hub.as_str().parse().map_err(|error| ConfigError(format!("{:?}: {error}", hub.as_str())))?;
        let audience = audience.iter().map(|hub| (*hub).to_owned()).collect();
        Ok(Self {
            way: Way::Http { uri, pool: Box::new(pool()?) },
            credential,
            audience,
            generation: Generation::Current,
            token: Mutex::new(None),
        })
    }

    /// A publisher without a hub, for the tests of a program that publishes: it acknowledges every update, and the recording
    /// shows them.
    ///
    /// ```
    /// use petasos_client::Publisher;
    /// use petasos_protocol::{Topic, Update};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (publisher, recording) = Publisher::recording();
    /// publisher.publish(&Update::new(Topic::new("https://example.com/books/1")?).with_data("{}"), None).await?;
    /// assert_eq!(recording.updates()[0].data(), "{}");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn recording() -> (Self, Recording) {
        let recording = Recording::default();
        let way = Way::Recording(recording.clone());
        let credential = Credential::Secret(Secret::throwaway());
        let (audience, generation) = (Vec::new(), Generation::Current);
        (Self { way, credential, audience, generation, token: Mutex::new(None) }, recording)
    }

    /// Publishes to a hub of an earlier generation of the protocol: forms and tokens are then of that one.
    #[must_use]
    pub fn to_hub_of(mut self, generation: Generation) -> Self {
        self.generation = generation;
        self
    }

    /// The generation of the protocol that it speaks.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// What it authorises itself with.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The hub as the tokens that are made name it; empty for a recording.
    #[must_use]
    pub fn audience(&self) -> &[String] {
        &self.audience
    }

    /// Publishes an update and resolves to its id once the hub has acknowledged it. With an idempotency key a hub that knows
    /// the header dispatches a repetition only once.
    ///
    /// # Errors
    /// [`PublishError`]; if it is retryable, the same publish may succeed later.
    pub async fn publish(
        &self,
        update: &Update,
        idempotency_key: Option<&str>,
    ) -> Result<EventId, PublishError> {
        let update = update.clone().for_hub_of(self.generation);
        let (uri, pool) = match &self.way {
            Way::Http { uri, pool } => (uri, pool),
            Way::Recording(recording) => return recording.publish(&update, idempotency_key),
        };
        let mut request = Request::post(uri.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(AUTHORIZATION, self.authorization()?);
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", format!("\"{key}\""));
        }
        let request = request.body(Full::new(Bytes::from(encode_publish(&update))));
        let request = request.map_err(|error| PublishError::Request(error.to_string()))?;
        let (status, body) =
            tokio::time::timeout(REQUEST_TIME, send(uri, pool, request)).await.map_err(|_| {
                PublishError::Unavailable(format!("no answer within {} seconds", REQUEST_TIME.as_secs()))
            })??;
        judge(status, &body)
    }

    fn uri(&self) -> Option<&Uri> {
        match &self.way {
            Way::Http { uri, .. } => Some(uri),
            Way::Recording(_) => None,
        }
    }

    fn authorization(&self) -> Result<HeaderValue, PublishError> {
        let secret = match &self.credential {
            Credential::Jwt(jwt) => return bearer(jwt.as_str()),
            Credential::Secret(secret) => secret,
        };
        // A clock before 1970 makes tokens that no hub takes, which is then said by the hub.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = token.as_ref().filter(|token| token.expires > now + RENEW) {
            return Ok(token.header.clone());
        }
        let header = bearer(&self.mint(secret, now)?)?;
        *token = Some(Token { header: header.clone(), expires: now + LIFETIME });
        Ok(header)
    }

    fn mint(&self, secret: &Secret, now: u64) -> Result<String, MintError> {
        if self.generation != Generation::Current {
            let claims = json!({"mercure": {"publish": ["*"]}, "exp": now + LIFETIME});
            return mint_earlier(secret, &claims);
        }
        let audience: Vec<&str> = self.audience.iter().map(String::as_str).collect();
        let issuer = audience.first().copied().unwrap_or_default();
        mint(
            secret,
            &ClaimsBuilder::new(issuer, &audience).publish(&Matcher::any()).build(now, now + LIFETIME),
        )
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("uri", &self.uri())
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}

async fn send(
    uri: &Uri,
    pool: &Pool,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), PublishError> {
    let unavailable = |error: &dyn fmt::Display| PublishError::Unavailable(format!("{uri}: {error}"));
    let response = pool.request(request).await.map_err(|error| unavailable(&root_cause(&error)))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER)
        .collect()
        .await
        .map_err(|error| unavailable(&error))?;
    Ok((status, body.to_bytes()))
}

fn bearer(token: &str) -> Result<HeaderValue, PublishError> {
    let mut header = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|error| PublishError::Request(error.to_string()))?;
    header.set_sensitive(true);
    Ok(header)
}

fn judge(status: StatusCode, body: &[u8]) -> Result<EventId, PublishError> {
    let text = String::from_utf8_lossy(body);
    match status {
        StatusCode::OK | StatusCode::CREATED => {
            EventId::new(text.trim()).map_err(|error| PublishError::Answer(error.to_string()))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(PublishError::Unauthorized { status, detail: detail(&text) })
        }
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::CONFLICT
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS => {
            Err(PublishError::Unavailable(format!("the hub answered {status}: {}", detail(&text))))
        }
        _ if status.is_server_error() => {
            Err(PublishError::Unavailable(format!("the hub answered {status}: {}", detail(&text))))
        }
        _ => Err(PublishError::Refused { status, detail: detail(&text) }),
    }
}

/// What a problem document says, or the beginning of whatever else it is.
fn detail(body: &str) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let said = problem.as_ref().and_then(|problem| problem.get("detail")?.as_str());
    said.unwrap_or(body).lines().next().unwrap_or_default().chars().take(300).collect()
}

/// The innermost error says what happened; the outer ones only where.
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Why an update was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The hub will never take it as it is.
    #[error("the hub answered {status}: {detail}")]
    Refused {
        /// What it answered.
        status: StatusCode,
        /// What it said.
        detail: String,
    },
    /// The token is not accepted or does not allow it.
    #[error("the hub does not accept the token ({status}): {detail}")]
    Unauthorized {
        /// What it answered.
        status: StatusCode,
        /// What it said.
        detail: String,
    },
    /// The hub cannot be reached or cannot take updates now.
    #[error("{0}")]
    Unavailable(String),
    /// The hub acknowledged it with something that is no id.
    #[error("the hub's answer makes no sense: {0}")]
    Answer(String),
    /// The request could not be made.
    #[error("the request cannot be made: {0}")]
    Request(String),
    /// No token could be made.
    #[error("{0}")]
    Token(String),
}

impl PublishError {
    /// Whether the same publish may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether it is the token that the hub does not like.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Unauthorized { .. })
    }
}

impl From<MintError> for PublishError {
    fn from(error: MintError) -> Self {
        Self::Token(error.to_string())
    }
}

/// How long tokens live, in seconds.
const LIFETIME: u64 = 300;
/// How long before its end a token is replaced, in seconds.
const RENEW: u64 = 60;
const REQUEST_TIME: Duration = Duration::from_secs(30);
const MAX_ANSWER: usize = 64 << 10;
