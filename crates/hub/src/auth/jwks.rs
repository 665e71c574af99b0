//! Keys as a JSON Web Key Set (RFC 7517), by file or by URL.
//!
//! A set is read when it is first needed, when a token names a key that it does not have, and once an hour; never more
//! than once a minute, whatever strangers send. While it cannot be read the keys that are known stay.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{AlgorithmFamily, DecodingKey};
use serde_json::Value;

use super::Key;
use super::key::{ALGORITHMS, Algorithm};
use crate::clock::Clock;
use crate::transport::BoxFuture;

/// Where the bytes of a key set come from.
pub trait KeySetSource: fmt::Debug + Send + Sync + 'static {
    /// Reads the set.
    ///
    /// # Errors
    /// One line that says why it cannot be read.
    fn read(&self) -> BoxFuture<'_, Result<Vec<u8>, String>>;
}

/// A key set that is read when needed. Clones are the same set.
#[derive(Clone, Debug)]
pub struct KeySet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Box<dyn KeySetSource>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held by the one that reads the source, so that a crowd of tokens makes one request.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    keys: Arc<[Key]>,
    /// Milliseconds of the monotonic clock.
    read: Option<u64>,
    tried: Option<u64>,
}

impl KeySet {
    /// A set that is read from `source`.
    #[must_use]
    pub fn new(source: impl KeySetSource, clock: Arc<dyn Clock>) -> Self {
        let (state, reading) = (Mutex::default(), tokio::sync::Mutex::default());
        Self(Arc::new(Inner { source: Box::new(source), clock, state, reading }))
    }

    /// The keys to try a token with, whose header names `kid`.
    pub(crate) async fn keys(&self, kid: Option<&str>) -> Arc<[Key]> {
        if let Some(keys) = self.known(kid) {
            return keys;
        }
        let _reading = self.0.reading.lock().await;
        // Somebody else may have read it meanwhile.
        if let Some(keys) = self.known(kid) {
            return keys;
        }
        self.state().tried = Some(self.0.clock.monotonic_ms());
        let read = self.0.source.read().await.and_then(|bytes| parse(&bytes));
        let mut state = self.state();
        match read {
            Ok(keys) => {
                state.keys = keys.into();
                state.read = state.tried;
            }
            Err(reason) => {
                tracing::error!(source = ?self.0.source, reason, known = state.keys.len(), "a key set cannot be read");
            }
        }
        Arc::clone(&state.keys)
    }

    /// The keys, if there is no reason to read the set or it was tried too recently.
    fn known(&self, kid: Option<&str>) -> Option<Arc<[Key]>> {
        let now = self.0.clock.monotonic_ms();
        let state = self.state();
        let within = |at: Option<u64>, period| at.is_some_and(|at| now.saturating_sub(at) < period);
        let has = kid.is_none_or(|kid| state.keys.iter().any(|key| key.is_named(kid)));
        let enough = has && !state.keys.is_empty() && within(state.read, FRESH_MS);
        (enough || within(state.tried, PAUSE_MS)).then(|| Arc::clone(&state.keys))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the keys of a set. What is not for verifying signatures, or of an unknown kind, is passed over (RFC 7517 section 5).
fn parse(bytes: &[u8]) -> Result<Vec<Key>, String> {
    let set: Value = serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON: {error}"))?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or("it has no array \"keys\"")?;
    if keys.len() > MOST_KEYS {
        return Err(format!("it has {} keys; {MOST_KEYS} are allowed", keys.len()));
    }
    Ok(keys.iter().filter_map(|key| usable(serde_json::from_value(key.clone()).ok()?)).collect())
}

fn usable(jwk: Jwk) -> Option<Key> {
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let algorithms = match jwk.common.key_algorithm {
        Some(named) => vec![algorithm(named)?],
        None => fitting(&jwk.algorithm)?,
    };
    // A shared secret has no place in a document that others read.
    if algorithms.iter().any(|algorithm| algorithm.is_symmetric()) {
        return None;
    }
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    Some(Key::of_set(decoding, algorithms, jwk.common.key_id))
}

fn algorithm(named: KeyAlgorithm) -> Option<Algorithm> {
    named.to_string().parse().ok()
}

/// The algorithms of a key that names none itself.
fn fitting(parameters: &AlgorithmParameters) -> Option<Vec<Algorithm>> {
    let of_family = |family: AlgorithmFamily| {
        let names = ALGORITHMS.iter().filter(move |(_, algorithm)| algorithm.family() == family);
        names.filter_map(|(name, _)| name.parse().ok()).collect()
    };
    match parameters {
        AlgorithmParameters::RSA(_) => Some(of_family(AlgorithmFamily::Rsa)),
        AlgorithmParameters::OctetKeyPair(_) => Some(of_family(AlgorithmFamily::Ed)),
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => "ES256".parse().ok().map(|algorithm| vec![algorithm]),
            EllipticCurve::P384 => "ES384".parse().ok().map(|algorithm| vec![algorithm]),
            _ => None,
        },
        _ => None,
    }
}

const FRESH_MS: u64 = 3_600_000;
const PAUSE_MS: u64 = 60_000;
const MOST_KEYS: usize = 100;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use serde_json::json;

    use super::*;

    #[derive(Debug, Default)]
    struct Hands(AtomicU64);

    impl Clock for Hands {
        fn monotonic_ms(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }

        fn unix_seconds(&self) -> u64 {
            0
        }
    }

    /// Answers with what it was given last, and counts.
    #[derive(Clone, Debug, Default)]
    struct Scripted(Arc<Mutex<(Option<Value>, u64)>>);

    impl Scripted {
        fn set(&self, answer: Option<Value>) {
            self.0.lock().unwrap().0 = answer;
        }

        fn reads(&self) -> u64 {
            self.0.lock().unwrap().1
        }
    }

    impl KeySetSource for Scripted {
        fn read(&self) -> BoxFuture<'_, Result<Vec<u8>, String>> {
            let mut state = self.0.lock().unwrap();
            state.1 += 1;
            let answer = state.0.as_ref().map(|set| set.to_string().into_bytes()).ok_or("down".to_owned());
            Box::pin(std::future::ready(answer))
        }
    }

    fn ed(kid: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    #[tokio::test]
    async fn auth_2_an_unknown_kid_makes_it_read_again_but_once_a_minute_and_a_dead_server_changes_nothing() {
        let (source, clock) = (Scripted::default(), Arc::new(Hands::default()));
        source.set(Some(json!({"keys": [ed("one")]})));
        let set = KeySet::new(source.clone(), Arc::clone(&clock) as Arc<dyn Clock>);
        assert_eq!(set.keys(Some("one")).await.len(), 1);
        assert_eq!(set.keys(Some("two")).await.len(), 1);
        assert_eq!(source.reads(), 1, "a minute has not passed");
        clock.0.store(PAUSE_MS, Ordering::Relaxed);
        source.set(Some(json!({"keys": [ed("one"), ed("two")]})));
        assert_eq!(set.keys(Some("one")).await.len(), 1);
        assert_eq!(set.keys(Some("two")).await.len(), 2);
        assert_eq!(source.reads(), 2);
        clock.0.store(3 * FRESH_MS, Ordering::Relaxed);
        source.set(None);
        assert_eq!(set.keys(Some("two")).await.len(), 2, "the known keys stay");
        assert_eq!(set.keys(Some("three")).await.len(), 2);
        assert_eq!(source.reads(), 3);
        clock.0.store(4 * FRESH_MS, Ordering::Relaxed);
        source.set(Some(json!({"keys": [ed("three")]})));
        let keys = set.keys(None).await;
        assert!(keys.len() == 1 && keys[0].is_named("three"), "one that is withdrawn is forgotten");
    }

    #[test]
    fn auth_2_only_public_keys_for_signatures_are_taken_from_a_set() {
        let rsa = json!({"kty": "RSA", "n": "sXch", "e": "AQAB", "kid": "r"});
        let mut set = json!({"keys": [
            ed("e"), rsa,
            {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "alg": "HS256"},
            {"kty": "RSA", "n": "sXch", "e": "AQAB", "use": "enc"},
            {"kty": "unheard-of"},
            {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
             "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "alg": "ES256", "kid": "c"},
        ]});
        let keys = parse(set.to_string().as_bytes()).unwrap();
        let ids: Vec<bool> = ["e", "r", "c"].iter().zip(&keys).map(|(kid, key)| key.is_named(kid)).collect();
        assert_eq!(ids, [true; 3]);
        assert!(keys[0].fits("EdDSA").is_some() && keys[0].fits("HS256").is_none());
        assert!(keys[1].fits("PS512").is_some() && keys[2].fits("ES256").is_some());
        set["keys"] = json!(vec![ed("x"); MOST_KEYS + 1]);
        assert!(parse(set.to_string().as_bytes()).is_err());
        assert!(parse(b"[]").is_err() && parse(b"").is_err());
    }
}
