//! Who is trusted to make tokens, and by which keys they are known.

use std::sync::Arc;

use super::{Key, KeySet};

/// A trusted issuer of tokens (`iss`), with keys for publishers and keys for subscribers, which may differ (AUTH.2).
#[derive(Clone, Debug)]
#[must_use]
pub struct Issuer {
    pub(crate) name: String,
    pub(crate) publishers: Keys,
    pub(crate) subscribers: Keys,
}

impl Issuer {
    /// Trusts tokens whose `iss` is `name`, once it has keys.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), publishers: Keys::default(), subscribers: Keys::default() }
    }

    /// Adds a key that publishers' tokens may be signed with.
    pub fn publisher_key(mut self, key: Key) -> Self {
        self.publishers.fixed.push(key);
        self
    }

    /// Adds a key that subscribers' tokens may be signed with.
    pub fn subscriber_key(mut self, key: Key) -> Self {
        self.subscribers.fixed.push(key);
        self
    }

    /// Adds a set of keys that publishers' tokens may be signed with.
    pub fn publisher_keys(mut self, set: KeySet) -> Self {
        self.publishers.sets.push(set);
        self
    }

    /// Adds a set of keys that subscribers' tokens may be signed with.
    pub fn subscriber_keys(mut self, set: KeySet) -> Self {
        self.subscribers.sets.push(set);
        self
    }
}

/// The keys of an issuer for one purpose.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    pub(crate) fixed: Vec<Key>,
    pub(crate) sets: Vec<KeySet>,
}

impl Keys {
    /// Whether a token is signed by one of them. `None` if none is for its algorithm.
    pub(crate) async fn verify(&self, token: &Signed<'_>) -> Option<bool> {
        let mut fitting = self.fixed.iter().filter_map(|key| token.by(key)).collect::<Vec<bool>>();
        for set in &self.sets {
            if fitting.contains(&true) {
                break;
            }
            let keys: Arc<[Key]> = set.keys(token.kid).await;
            // `kid` is a hint: the keys of that name come first, and the others are tried all the same.
            let (named, others): (Vec<&Key>, Vec<&Key>) =
                keys.iter().partition(|key| token.kid.is_some_and(|kid| key.is_named(kid)));
            fitting.extend(named.into_iter().chain(others).filter_map(|key| token.by(key)));
        }
        (!fitting.is_empty()).then(|| fitting.contains(&true))
    }
}

/// The parts of a token that its signature is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) alg: &'a str,
    pub(crate) kid: Option<&'a str>,
    pub(crate) input: &'a str,
    /// In base64url.
    pub(crate) signature: &'a str,
}

impl Signed<'_> {
    fn by(&self, key: &Key) -> Option<bool> {
        let algorithm = key.fits(self.alg)?;
        Some(key.verifies(algorithm, self.signature, self.input.as_bytes()))
    }
}
