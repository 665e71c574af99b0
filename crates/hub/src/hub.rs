//! The hub itself: what its parts share, and how it is put together.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use petasos_protocol::{EventId, HubUrl, PublishLimits, SubscribeLimits, Update};

use crate::auth::{Key, Verifier, VerifierConfig};
use crate::clock::{Clock, SystemClock};
use crate::dispatch::{BacklogLimits, Dispatch, Metrics, ShardConfig};
use crate::event::Event;
use crate::idempotency::{self, Recent, Verdict};
use crate::ids::{Ids, TimeOrdered, event_id};
use crate::transport::{AppendError, Follower, Memory, Transport};

/// A Mercure hub. Clones are the same hub.
///
/// Make one with [`Hub::builder`], serve it with [`crate::server::serve`] or mount [`Hub::handle`] in an application of
/// your own, and publish into it with [`Hub::publish`] or over HTTP.
#[derive(Clone)]
pub struct Hub {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) url: HubUrl,
    pub(crate) policy: Policy,
    pub(crate) publishers: Verifier,
    pub(crate) subscribers: Verifier,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) clock: Arc<dyn Clock>,
    ids: Box<dyn Ids>,
    recent: Recent,
}

/// What a hub allows.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) anonymous: bool,
    pub(crate) cookie_name: String,
    pub(crate) cors_origins: BTreeSet<String>,
    pub(crate) publish_origins: BTreeSet<String>,
    pub(crate) issuers: Vec<String>,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) max_body: usize,
    pub(crate) publish_limits: PublishLimits,
    pub(crate) subscribe_limits: SubscribeLimits,
}

impl Hub {
    /// Starts to describe a hub.
    pub fn builder() -> HubBuilder {
        HubBuilder::new()
    }

    /// Its public URL: what clients are told, and what relative patterns are relative to.
    #[must_use]
    pub fn url(&self) -> &HubUrl {
        &self.inner.url
    }

    /// The id of the newest update.
    #[must_use]
    pub fn last_event_id(&self) -> Option<EventId> {
        self.inner.transport.bounds().newest_id
    }

    /// What dispatch has counted so far.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        self.inner.dispatch.metrics()
    }

    /// Publishes in the name of the program itself, which needs no token. Resolves to the update's id once it is as
    /// durable as the transport makes it.
    ///
    /// With an idempotency key a repetition of a recent publish is not dispatched again and resolves to the first id.
    ///
    /// # Errors
    /// See [`PublishError`]; nothing was dispatched then.
    pub async fn publish(
        &self,
        update: Update,
        idempotency_key: Option<&str>,
    ) -> Result<EventId, PublishError> {
        if let Some(topic) = update.topics().iter().find(|topic| self.inner.url.reserves(topic.as_str())) {
            return Err(PublishError::Reserved(topic.as_str().to_owned()));
        }
        self.publish_as("", update, idempotency_key).await
    }

    /// Publishes in the name of `publisher`, who may do so.
    pub(crate) async fn publish_as(
        &self,
        publisher: &str,
        update: Update,
        key: Option<&str>,
    ) -> Result<EventId, PublishError> {
        let Some(key) = key else { return self.append(&update).await };
        let own = idempotency::Key::new(publisher, key);
        match self.inner.recent.begin(&own, &update) {
            Verdict::Repeated(id) => return Ok(id),
            Verdict::UnderWay => return Err(PublishError::UnderWay),
            Verdict::Other => return Err(PublishError::KeyReused),
            Verdict::First => {}
        }
        // Dropping this future, when a client hangs up, must not leave the key under way for ever.
        let pending = Pending { recent: &self.inner.recent, key: Some(&own) };
        let id = match self.remembered(&update, key).await? {
            Some(id) => id,
            None => self.append(&update).await?,
        };
        pending.finish(&id);
        Ok(id)
    }

    /// A publisher that uses its event ids as keys, as our own relay does, is recognised by the history too,
    /// which outlives the process.
    async fn remembered(&self, update: &Update, key: &str) -> Result<Option<EventId>, PublishError> {
        let Some(id) = update.id().filter(|id| id.as_str() == key) else { return Ok(None) };
        let found = self
            .inner
            .transport
            .find(id.as_str())
            .await
            .map_err(|error| AppendError::Storage(error.to_string()))?;
        Ok(found.map(|_| id.clone()))
    }

    async fn append(&self, update: &Update) -> Result<EventId, PublishError> {
        let id = match update.id() {
            Some(id) => id.clone(),
            None => event_id(self.inner.ids.next()).map_err(|error| PublishError::Id(error.to_string()))?,
        };
        self.inner.transport.append(Arc::new(Event::new(id.clone(), update))).await?;
        Ok(id)
    }

    /// Ends every subscription and closes the history; publishing fails from then on.
    pub async fn close(&self) {
        self.inner.transport.close().await;
        let dispatch = Arc::clone(&self.inner.dispatch);
        if tokio::task::spawn_blocking(move || dispatch.stop()).await.is_err() {
            tracing::error!("stopping the dispatch shards failed");
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("url", &self.inner.url)
            .field("policy", &self.inner.policy)
            .finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // `Hub::close` waits for the shards; a hub that is merely dropped lets them go by themselves.
        self.dispatch.leave();
    }
}

/// A publish with a key that is not finished yet.
struct Pending<'a> {
    recent: &'a Recent,
    key: Option<&'a idempotency::Key>,
}

impl Pending<'_> {
    fn finish(mut self, id: &EventId) {
        if let Some(key) = self.key.take() {
            self.recent.finish(key, id);
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.recent.abandon(key);
        }
    }
}

/// Why an update was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// A topic lies in the hub's own namespace (PUB.3).
    #[error("the topic {0:?} lies in the hub's own namespace")]
    Reserved(String),
    /// The idempotency key was used for another content.
    #[error("the Idempotency-Key was used before, for another update")]
    KeyReused,
    /// A publish with the same idempotency key has not finished yet.
    #[error("a publish with the same Idempotency-Key is still under way")]
    UnderWay,
    /// The source of ids gave something that is no id.
    #[error("no id could be made for the update: {0}")]
    Id(String),
    /// The history did not take it.
    #[error(transparent)]
    History(#[from] AppendError),
}

/// Describes a hub.
#[must_use]
#[derive(Debug)]
pub struct HubBuilder {
    url: Option<HubUrl>,
    publisher_keys: Vec<Key>,
    subscriber_keys: Vec<Key>,
    policy: Policy,
    heartbeat: Option<Duration>,
    shards: Option<usize>,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    ids: Option<Box<dyn Ids>>,
}

impl HubBuilder {
    fn new() -> Self {
        let policy = Policy {
            anonymous: false,
            cookie_name: "__Secure-mercure_access_token".to_owned(),
            cors_origins: BTreeSet::new(),
            publish_origins: BTreeSet::new(),
            issuers: Vec::new(),
            max_lifetime: None,
            max_body: 1 << 20,
            publish_limits: PublishLimits::default(),
            subscribe_limits: SubscribeLimits::default(),
        };
        Self {
            url: None,
            publisher_keys: Vec::new(),
            subscriber_keys: Vec::new(),
            policy,
            heartbeat: Some(Duration::from_secs(40)),
            shards: None,
            transport: None,
            clock: None,
            ids: None,
        }
    }

    /// The URL under which clients know the hub. Needed.
    pub fn public_url(mut self, url: HubUrl) -> Self {
        self.url = Some(url);
        self
    }

    /// Trusts tokens signed with this key for publishing. May be called again; each key is trusted.
    pub fn publisher_key(mut self, key: Key) -> Self {
        self.publisher_keys.push(key);
        self
    }

    /// Trusts tokens signed with this key for subscribing. May be called again; each key is trusted.
    pub fn subscriber_key(mut self, key: Key) -> Self {
        self.subscriber_keys.push(key);
        self
    }

    /// Trusts these issuers (`iss`) instead of the hub's own URL.
    pub fn issuers(mut self, issuers: Vec<String>) -> Self {
        self.policy.issuers = issuers;
        self
    }

    /// Lets subscribers without a token in; they receive public updates only (SUB.11). Off by default.
    pub fn anonymous(mut self, allowed: bool) -> Self {
        self.policy.anonymous = allowed;
        self
    }

    /// Origins whose pages may subscribe and publish across origins (SUB.9). `*` allows every page, without credentials.
    pub fn cors_origins(mut self, origins: impl IntoIterator<Item = String>) -> Self {
        self.policy.cors_origins = origins.into_iter().collect();
        self
    }

    /// Origins whose pages may publish with the cookie (PUB.9), besides the hub's own.
    pub fn publish_origins(mut self, origins: impl IntoIterator<Item = String>) -> Self {
        self.policy.publish_origins = origins.into_iter().collect();
        self
    }

    /// Silence after which a comment is sent; `None` for never. 40 seconds by default.
    pub fn heartbeat(mut self, period: Option<Duration>) -> Self {
        self.heartbeat = period;
        self
    }

    /// Ends every subscription after this time (SUB.10). Unlimited by default.
    pub fn max_lifetime(mut self, lifetime: Option<Duration>) -> Self {
        self.policy.max_lifetime = lifetime;
        self
    }

    /// Name of the cookie that carries a token (AUTH.1).
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.policy.cookie_name = name.into();
        self
    }

    /// Number of dispatch threads; one per core by default.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// Where updates are kept; a bounded memory by default.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Where the time comes from.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Where event ids come from.
    pub fn ids(mut self, ids: impl Ids) -> Self {
        self.ids = Some(Box::new(ids));
        self
    }

    /// Starts the hub.
    ///
    /// # Errors
    /// [`HubError`] if something needed is missing or the system refuses a thread.
    pub fn build(self) -> Result<Hub, HubError> {
        let url = self.url.ok_or(HubError::NoUrl)?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let transport = self.transport.unwrap_or_else(|| Arc::new(Memory::default()));
        let shards =
            self.shards.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let heartbeat = self.heartbeat.map_or(0, |period| period.as_secs().max(1));
        let config = ShardConfig { hub: url.clone(), heartbeat, limits: BacklogLimits::default() };
        let dispatch = Arc::new(Dispatch::start(&config, shards, &clock, transport.bounds().newest)?);
        transport.follow(Arc::clone(&dispatch) as Arc<dyn Follower>);
        let verifier = |keys| Verifier::new(trusted(&url, &self.policy, keys), Arc::clone(&clock));
        Ok(Hub {
            inner: Arc::new(Inner {
                publishers: verifier(self.publisher_keys),
                subscribers: verifier(self.subscriber_keys),
                policy: self.policy,
                ids: self.ids.unwrap_or_else(|| Box::new(TimeOrdered)),
                recent: Recent::default(),
                url,
                transport,
                dispatch,
                clock,
            }),
        })
    }
}

/// The hub is its own issuer unless others are named.
fn trusted(url: &HubUrl, policy: &Policy, keys: Vec<Key>) -> VerifierConfig {
    let own = vec![url.as_str().to_owned()];
    let issuers = if policy.issuers.is_empty() { own.clone() } else { policy.issuers.clone() };
    VerifierConfig { keys, issuers, audience: own, hub: url.clone(), leeway: LEEWAY }
}

/// Seconds by which clocks may differ.
const LEEWAY: u64 = 5;

/// Why a hub cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The builder was given no public URL.
    #[error("a hub needs its public URL, for example https://example.com/.well-known/mercure")]
    NoUrl,
    /// The system gave no thread or no poller.
    #[error("the hub's dispatch threads cannot start: {0}")]
    Dispatch(#[from] std::io::Error),
}
