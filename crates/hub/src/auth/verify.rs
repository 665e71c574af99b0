//! Verifies access tokens, once each: a verified token's grants are remembered until it expires.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use petasos_protocol::compat::{Compat, is_earlier_token};
use petasos_protocol::token::{self, Claims, Expected, GrantLimits, Jws, TokenError, split};
use petasos_protocol::{HubUrl, Matcher, TopicView};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::issuer::{Keys, Signed};
use crate::clock::Clock;

/// What a verified token allows.
#[derive(Debug)]
pub(crate) struct Authorised {
    claims: Claims,
    /// The matchers of all `subscribe` grants, shared by every subscription under this token.
    subscribe: Arc<[Matcher]>,
    digest: Digest,
}

impl Authorised {
    fn new(claims: Claims, digest: Digest) -> Self {
        let subscribe = claims.grants.subscribe_matchers().cloned().collect();
        Self { claims, subscribe, digest }
    }

    /// Tells one token from another.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// What it says.
    pub(crate) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// When it stops being valid, in seconds since the epoch; `None` if never.
    pub(crate) fn expires(&self) -> Option<u64> {
        Some(self.claims.exp).filter(|exp| *exp < u64::MAX)
    }

    fn is_valid(&self, now: u64) -> bool {
        now < self.claims.exp
    }

    /// Who published or subscribes, as far as the token says.
    pub(crate) fn subject(&self) -> &str {
        self.claims.sub.as_deref().unwrap_or_default()
    }

    /// Who issued the token.
    pub(crate) fn issuer(&self) -> &str {
        self.claims.iss.as_deref().unwrap_or_default()
    }

    /// Whether it may publish on this topic (PUB.8).
    pub(crate) fn may_publish(&self, topic: &TopicView<'_>) -> bool {
        self.claims.grants.may_publish(topic)
    }

    /// Whether it may receive what is private on this topic (AUTH.5).
    pub(crate) fn may_subscribe(&self, topic: &TopicView<'_>) -> bool {
        self.subscribe.iter().any(|matcher| matcher.matches(topic))
    }

    /// What it says about a subscription (ACT.3).
    pub(crate) fn payload(&self, matcher: &TopicView<'_>) -> Option<&Value> {
        self.claims.payload(matcher)
    }

    /// What private updates it may receive (AUTH.5).
    pub(crate) fn subscribe(&self) -> &Arc<[Matcher]> {
        &self.subscribe
    }
}

/// What a [`Verifier`] trusts.
#[derive(Clone, Debug)]
pub(crate) struct VerifierConfig {
    pub(crate) issuers: Vec<Trusted>,
    /// The keys of tokens that name no trusted issuer, which those of earlier generations need not.
    pub(crate) earlier: Keys,
    pub(crate) compat: Compat,
    pub(crate) audience: Vec<String>,
    pub(crate) hub: HubUrl,
    pub(crate) leeway: u64,
}

/// An issuer and its keys for one purpose.
#[derive(Clone, Debug)]
pub(crate) struct Trusted {
    pub(crate) name: String,
    pub(crate) keys: Keys,
}

/// Decides whether a token is one of ours.
#[derive(Debug)]
pub(crate) struct Verifier {
    config: VerifierConfig,
    clock: Arc<dyn Clock>,
    cache: Mutex<HashMap<Digest, Arc<Authorised>>>,
}

/// What a token is remembered by.
type Digest = [u8; 32];

impl Verifier {
    pub(crate) fn new(config: VerifierConfig, clock: Arc<dyn Clock>) -> Self {
        Self { config, clock, cache: Mutex::default() }
    }

    /// The grants of a token that is signed by a trusted key, meant for this hub and valid now (AUTH.2).
    ///
    /// # Errors
    /// Why the token is refused; for the log, never for the client (AUTH.4: one message for every cause).
    pub(crate) async fn verify(&self, token: &str) -> Result<Arc<Authorised>, Refusal> {
        let now = self.clock.unix_seconds();
        let digest: Digest = Sha256::digest(token.as_bytes()).into();
        if let Some(known) = self.cached(&digest)
            && known.is_valid(now)
        {
            return Ok(known);
        }
        let authorised = Arc::new(Authorised::new(self.check(token, now).await?, digest));
        self.remember(&authorised, now);
        Ok(authorised)
    }

    async fn check(&self, token: &str, now: u64) -> Result<Claims, Refusal> {
        let jws = split(token)?;
        let is_earlier = !jws.header.is_access_token();
        if is_earlier && !(self.config.compat.any() && is_earlier_token(token)) {
            return Err(Refusal::Type);
        }
        self.check_signature(token, &jws, is_earlier).await?;
        let (config, limits) = (&self.config, GrantLimits::default());
        let claims = match is_earlier {
            false => Claims::parse(&jws.payload, &config.hub, &limits)?,
            true => Claims::parse_earlier(&jws.payload, config.compat, &limits)?,
        };
        let issuers: Vec<String> = config.issuers.iter().map(|issuer| issuer.name.clone()).collect();
        claims.check(&Expected {
            audience: &config.audience,
            issuers: &issuers,
            now,
            leeway: config.leeway,
        })?;
        Ok(claims)
    }

    /// Only the keys of the issuer that the token names are tried: one issuer cannot speak for another.
    async fn check_signature(&self, token: &str, jws: &Jws<'_>, is_earlier: bool) -> Result<(), Refusal> {
        let issuer = token::issuer(&jws.payload)?;
        let signed = Signed {
            alg: &jws.header.alg,
            kid: jws.header.kid.as_deref(),
            input: jws.signing_input,
            signature: token.rsplit_once('.').map_or("", |(_, signature)| signature),
        };
        let named = self.config.issuers.iter().filter(|trusted| issuer.as_ref() == Some(&trusted.name));
        let mut keys: Vec<&Keys> = named.map(|trusted| &trusted.keys).collect();
        if is_earlier && keys.is_empty() {
            keys.push(&self.config.earlier);
        }
        let mut refusal = Refusal::Issuer;
        for keys in keys {
            refusal = match keys.verify(&signed).await {
                Some(true) => return Ok(()),
                Some(false) => Refusal::Signature,
                None => Refusal::Algorithm,
            };
        }
        Err(refusal)
    }

    fn cached(&self, digest: &Digest) -> Option<Arc<Authorised>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// Remembers only what was verified, so a stranger cannot fill the cache.
    fn remember(&self, authorised: &Arc<Authorised>, now: u64) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED_TOKENS {
            cache.retain(|_, known| known.is_valid(now));
        }
        if cache.len() >= CACHED_TOKENS {
            cache.clear();
        }
        cache.insert(authorised.digest, Arc::clone(authorised));
    }
}

/// Why a token is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the token's issuer is not trusted")]
    Issuer,
    #[error("no configured key fits the token's algorithm")]
    Algorithm,
    #[error("the signature is not one of a configured key")]
    Signature,
    #[error("the token's type is not at+jwt")]
    Type,
    #[error(transparent)]
    Token(#[from] TokenError),
}

const CACHED_TOKENS: usize = 16_384;
