//! Verifies access tokens, once each: a verified token's grants are remembered until it expires.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use petasos_protocol::token::{Claims, Expected, GrantLimits, Jws, TokenError, split};
use petasos_protocol::{HubUrl, Matcher, TopicView};
use sha2::{Digest, Sha256};

use super::Key;
use crate::clock::Clock;

/// What a verified token allows.
#[derive(Debug)]
pub(crate) struct Authorised {
    claims: Claims,
    /// The matchers of all `subscribe` grants, shared by every subscription under this token.
    subscribe: Arc<[Matcher]>,
}

impl Authorised {
    fn new(claims: Claims) -> Self {
        let subscribe = claims.grants.subscribe_matchers().cloned().collect();
        Self { claims, subscribe }
    }

    /// When it stops being valid, in seconds since the epoch.
    pub(crate) fn expires(&self) -> u64 {
        self.claims.exp
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

    /// What private updates it may receive (AUTH.5).
    pub(crate) fn subscribe(&self) -> &Arc<[Matcher]> {
        &self.subscribe
    }
}

/// What a [`Verifier`] trusts.
#[derive(Clone, Debug)]
pub(crate) struct VerifierConfig {
    pub(crate) keys: Vec<Key>,
    pub(crate) issuers: Vec<String>,
    pub(crate) audience: Vec<String>,
    pub(crate) hub: HubUrl,
    pub(crate) leeway: u64,
}

/// Decides whether a token is one of ours.
#[derive(Debug)]
pub(crate) struct Verifier {
    config: VerifierConfig,
    clock: Arc<dyn Clock>,
    cache: Mutex<HashMap<[u8; 32], Arc<Authorised>>>,
}

impl Verifier {
    pub(crate) fn new(config: VerifierConfig, clock: Arc<dyn Clock>) -> Self {
        Self { config, clock, cache: Mutex::default() }
    }

    /// The grants of a token that is signed by a trusted key, meant for this hub and valid now (AUTH.2).
    ///
    /// # Errors
    /// Why the token is refused; for the log, never for the client (AUTH.4: one message for every cause).
    pub(crate) fn verify(&self, token: &str) -> Result<Arc<Authorised>, Refusal> {
        let now = self.clock.unix_seconds();
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(known) = self.cached(&digest)
            && now < known.expires()
        {
            return Ok(known);
        }
        let authorised = Arc::new(Authorised::new(self.check(token, now)?));
        self.remember(digest, &authorised, now);
        Ok(authorised)
    }

    fn check(&self, token: &str, now: u64) -> Result<Claims, Refusal> {
        let jws = split(token)?;
        if !jws.header.is_access_token() {
            return Err(Refusal::Type);
        }
        self.check_signature(token, &jws)?;
        let claims = Claims::parse(&jws.payload, &self.config.hub, &GrantLimits::default())?;
        let config = &self.config;
        claims.check(&Expected {
            audience: &config.audience,
            issuers: &config.issuers,
            now,
            leeway: config.leeway,
        })?;
        Ok(claims)
    }

    fn check_signature(&self, token: &str, jws: &Jws<'_>) -> Result<(), Refusal> {
        let signature = token.rsplit_once('.').map_or("", |(_, signature)| signature);
        let mut fitting = self.config.keys.iter().filter(|key| key.fits(&jws.header.alg)).peekable();
        if fitting.peek().is_none() {
            return Err(Refusal::Algorithm);
        }
        if fitting.any(|key| key.verifies(signature, jws.signing_input.as_bytes())) {
            return Ok(());
        }
        Err(Refusal::Signature)
    }

    fn cached(&self, digest: &[u8; 32]) -> Option<Arc<Authorised>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// Remembers only what was verified, so a stranger cannot fill the cache.
    fn remember(&self, digest: [u8; 32], authorised: &Arc<Authorised>, now: u64) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED_TOKENS {
            cache.retain(|_, known| now < known.expires());
        }
        if cache.len() >= CACHED_TOKENS {
            cache.clear();
        }
        cache.insert(digest, Arc::clone(authorised));
    }
}

/// Why a token is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
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
