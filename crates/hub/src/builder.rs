//! Describes a hub and starts it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use petasos_protocol::compat::Compat;
use petasos_protocol::{HubUrl, PublishLimits, SubscribeLimits};

use crate::activity::Activity;
use crate::admission::{Admission, ConnectionLimits};
use crate::auth::{Issuer, Key, KeySet, Keys, Trusted, Verifier, VerifierConfig};
use crate::clock::{Clock, SystemClock};
use crate::dispatch::{BacklogLimits, Dispatch, ShardConfig};
use crate::http::Hosts;
use crate::hub::{Hub, Inner};
use crate::idempotency::Recent;
use crate::ids::{Ids, TimeOrdered};
use crate::transport::{Follower, Memory, Transport};

/// What a hub allows.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) anonymous: bool,
    pub(crate) compat: Compat,
    pub(crate) cookie_name: String,
    pub(crate) cors_origins: BTreeSet<String>,
    /// The hub's own are among them once it is built.
    pub(crate) publish_origins: BTreeSet<String>,
    /// What the metadata says of issuers.
    pub(crate) issuers: Vec<String>,
    pub(crate) hosts: Hosts,
    /// Segments below the hub's own path that are the application's.
    pub(crate) left: Vec<String>,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) max_body: usize,
    pub(crate) max_head: u32,
    pub(crate) patience: Patience,
    pub(crate) shutdown_spread: Duration,
    pub(crate) shutdown_grace: Duration,
    pub(crate) publish_limits: PublishLimits,
    pub(crate) subscribe_limits: SubscribeLimits,
}

/// How long a client may take to send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For its head: the connection is closed then. 15 seconds by default.
    pub head: Duration,
    /// For its body: the answer is 408 then. 30 seconds by default.
    pub body: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: Duration::from_secs(15), body: Duration::from_secs(30) }
    }
}

/// Describes a hub.
#[must_use]
#[derive(Debug)]
pub struct HubBuilder {
    urls: Vec<HubUrl>,
    own: Issuer,
    named: Vec<String>,
    issuers: Vec<Issuer>,
    policy: Policy,
    limits: ConnectionLimits,
    subscriptions: bool,
    heartbeat: Option<Duration>,
    backlog: BacklogLimits,
    shards: Option<usize>,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    ids: Option<Arc<dyn Ids>>,
}

impl HubBuilder {
    pub(crate) fn new() -> Self {
        let policy = Policy {
            anonymous: false,
            compat: Compat::default(),
            cookie_name: "__Secure-mercure_access_token".to_owned(),
            cors_origins: BTreeSet::new(),
            publish_origins: BTreeSet::new(),
            issuers: Vec::new(),
            hosts: Hosts::Any,
            left: Vec::new(),
            max_lifetime: None,
            max_body: 1 << 20,
            max_head: 64 << 10,
            patience: Patience::default(),
            shutdown_spread: Duration::from_secs(10),
            shutdown_grace: Duration::from_secs(10),
            publish_limits: PublishLimits::default(),
            subscribe_limits: SubscribeLimits::default(),
        };
        Self {
            urls: Vec::new(),
            own: Issuer::new(""),
            named: Vec::new(),
            issuers: Vec::new(),
            policy,
            limits: ConnectionLimits::default(),
            subscriptions: false,
            heartbeat: Some(Duration::from_secs(40)),
            backlog: BacklogLimits::default(),
            shards: None,
            transport: None,
            clock: None,
            ids: None,
        }
    }

    /// The URL under which clients know the hub. Needed. May be called again for a hub with several names: the first one is
    /// what relative patterns are relative to, and tokens may name any of them as their audience.
    pub fn public_url(mut self, url: HubUrl) -> Self {
        self.urls.push(url);
        self
    }

    /// Which names (`Host`) requests may address the hub by; others are answered 421. Any by default.
    pub fn hosts(mut self, hosts: Hosts) -> Self {
        self.policy.hosts = hosts;
        self
    }

    /// Leaves what is below this segment of the hub's own path to the application beside it: `debug` for
    /// `/.well-known/mercure/debug` and all below. May be called again.
    pub fn leave(mut self, segment: impl Into<String>) -> Self {
        self.policy.left.push(segment.into());
        self
    }

    /// Trusts tokens of the hub's own issuers signed with this key for publishing. May be called again.
    pub fn publisher_key(mut self, key: Key) -> Self {
        self.own = self.own.publisher_key(key);
        self
    }

    /// Trusts tokens of the hub's own issuers signed with this key for subscribing. May be called again.
    pub fn subscriber_key(mut self, key: Key) -> Self {
        self.own = self.own.subscriber_key(key);
        self
    }

    /// Trusts tokens of the hub's own issuers signed with a key of this set for publishing.
    pub fn publisher_keys(mut self, set: KeySet) -> Self {
        self.own = self.own.publisher_keys(set);
        self
    }

    /// Trusts tokens of the hub's own issuers signed with a key of this set for subscribing.
    pub fn subscriber_keys(mut self, set: KeySet) -> Self {
        self.own = self.own.subscriber_keys(set);
        self
    }

    /// Names the hub's own issuers (`iss`): those whose tokens are signed with the keys above. Its URL by default.
    pub fn issuers(mut self, issuers: Vec<String>) -> Self {
        self.named = issuers;
        self
    }

    /// Trusts one more issuer, which has keys of its own. May be called again.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Which earlier generations of the protocol the hub serves beside 1.0. None by default.
    pub fn compat(mut self, compat: Compat) -> Self {
        self.policy.compat = compat;
        self
    }

    /// How many subscriptions there may be at a time (SUB.7). Unlimited by default.
    pub fn connection_limits(mut self, limits: ConnectionLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Tells of active subscriptions, by updates and by the web API (ACT). Off by default.
    pub fn subscriptions(mut self, told: bool) -> Self {
        self.subscriptions = told;
        self
    }

    /// How large a publish may be.
    pub fn publish_limits(mut self, limits: PublishLimits) -> Self {
        self.policy.publish_limits = limits;
        self
    }

    /// How much one subscription may ask for (SUB.7).
    pub fn subscribe_limits(mut self, limits: SubscribeLimits) -> Self {
        self.policy.subscribe_limits = limits;
        self
    }

    /// Bytes that the body of a request may have; 1 MiB by default.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.policy.max_body = bytes;
        self
    }

    /// How long a client may take to send a request.
    pub fn patience(mut self, patience: Patience) -> Self {
        self.policy.patience = patience;
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

    /// Ends every subscription after this time, or up to a tenth earlier so that they do not all end together (SUB.10).
    /// Unlimited by default.
    pub fn max_lifetime(mut self, lifetime: Option<Duration>) -> Self {
        self.policy.max_lifetime = lifetime;
        self
    }

    /// How long the ends of subscriptions may be spread over when the hub stops; 10 seconds by default, and less for fewer
    /// than 10 000 subscribers.
    pub fn shutdown_spread(mut self, within: Duration) -> Self {
        self.policy.shutdown_spread = within;
        self
    }

    /// How long requests that are under way when [`crate::server::serve`] stops may still take; 10 seconds by default.
    pub fn shutdown_grace(mut self, time: Duration) -> Self {
        self.policy.shutdown_grace = time;
        self
    }

    /// Bytes that the head of a request may have; larger ones are a 431. 64 KiB by default: generated clients name
    /// hundreds of topics in one URL.
    pub fn max_head(mut self, bytes: u32) -> Self {
        self.policy.max_head = bytes;
        self
    }

    /// Name of the cookie that carries a token (AUTH.1).
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.policy.cookie_name = name.into();
        self
    }

    /// When a subscriber is too slow and is cut off.
    pub fn backlog_limits(mut self, limits: BacklogLimits) -> Self {
        self.backlog = limits;
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
        self.ids = Some(Arc::new(ids));
        self
    }

    /// Starts the hub.
    ///
    /// # Errors
    /// [`HubError`] if something needed is missing or the system refuses a thread.
    pub fn build(mut self) -> Result<Hub, HubError> {
        let url = self.urls.first().cloned().ok_or(HubError::NoUrl)?;
        let issuers = self.trusted(&url);
        check_secrets(&issuers, self.policy.compat)?;
        let (own, compat) = (self.own.clone(), self.policy.compat);
        self.policy.publish_origins.extend(self.urls.iter().map(HubUrl::origin));
        self.policy.issuers =
            self.named.into_iter().chain(self.issuers.into_iter().map(|one| one.name)).collect();
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let transport = self.transport.unwrap_or_else(|| Arc::new(Memory::default()));
        let shards =
            self.shards.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let heartbeat = self.heartbeat.map_or(0, |period| period.as_secs().max(1));
        let limits = BacklogLimits { max_total: self.backlog.max_total / shards.max(1), ..self.backlog };
        let config = ShardConfig { hub: url.clone(), heartbeat, limits };
        let dispatch = Arc::new(Dispatch::start(&config, shards, &clock, transport.bounds().newest)?);
        transport.follow(Arc::clone(&dispatch) as Arc<dyn Follower>);
        let audience: Vec<String> = self.urls.iter().map(|url| url.as_str().to_owned()).collect();
        let verifier = |keys: fn(&Issuer) -> &Keys| {
            let issuers = issuers
                .iter()
                .map(|issuer| Trusted { name: issuer.name.clone(), keys: keys(issuer).clone() });
            let (audience, hub) = (audience.clone(), url.clone());
            let (issuers, earlier) = (issuers.collect(), keys(&own).clone());
            let config = VerifierConfig { issuers, earlier, compat, audience, hub, leeway: LEEWAY };
            Verifier::new(config, Arc::clone(&clock))
        };
        let ids = self.ids.unwrap_or_else(|| Arc::new(TimeOrdered));
        let activity = || {
            let parts = (url.clone(), Arc::clone(&transport), Arc::clone(&ids));
            Arc::new(Activity::new(parts.0, parts.1, parts.2, compat.selectors))
        };
        Ok(Hub {
            inner: Arc::new(Inner {
                publishers: verifier(|issuer| &issuer.publishers),
                subscribers: verifier(|issuer| &issuer.subscribers),
                admission: Arc::new(Admission::new(self.limits)),
                activity: self.subscriptions.then(activity),
                policy: self.policy,
                ids,
                recent: Recent::default(),
                url,
                transport,
                dispatch,
                clock,
            }),
        })
    }

    /// The hub is its own issuer unless others are named.
    fn trusted(&self, url: &HubUrl) -> Vec<Issuer> {
        let own = if self.named.is_empty() { vec![url.as_str().to_owned()] } else { self.named.clone() };
        let own = own.into_iter().map(|name| Issuer { name, ..self.own.clone() });
        own.chain(self.issuers.iter().cloned()).collect()
    }
}

/// Refuses secrets that are too short, or only warns of them where earlier generations are served.
fn check_secrets(issuers: &[Issuer], compat: Compat) -> Result<(), HubError> {
    let keys =
        issuers.iter().flat_map(|issuer| issuer.publishers.fixed.iter().chain(&issuer.subscribers.fixed));
    let Some(length) = keys.filter_map(Key::short).min() else { return Ok(()) };
    if !compat.any() {
        return Err(HubError::ShortSecret { length });
    }
    tracing::warn!(
        "a secret that tokens are signed with has {length} bytes and can be guessed; earlier generations of the protocol \
         allowed that, 1.0 does not: replace it by a longer one as soon as its publishers can"
    );
    Ok(())
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
    /// A secret is too short, and no earlier generation of the protocol is served.
    #[error(
        "a secret of {length} bytes is too short; hubs that serve earlier generations of the protocol take it"
    )]
    ShortSecret {
        /// Length of the secret, in bytes.
        length: usize,
    },
    /// The system gave no thread or no poller.
    #[error("the hub's dispatch threads cannot start: {0}")]
    Dispatch(#[from] std::io::Error),
}
