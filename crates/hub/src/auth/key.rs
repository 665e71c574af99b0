//! Keys that verify tokens.

use std::fmt;
use std::str::FromStr;

use jsonwebtoken::{AlgorithmFamily, DecodingKey};
use uuid::Uuid;

/// An algorithm that tokens may be signed with (RFC 7518, RFC 8037). `none` is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm(jsonwebtoken::Algorithm);

impl Algorithm {
    /// HMAC with SHA-256.
    pub const HS256: Self = Self(jsonwebtoken::Algorithm::HS256);

    /// Its name in the header of a token.
    #[must_use]
    pub fn name(self) -> &'static str {
        let known = ALGORITHMS.iter().find(|(_, algorithm)| *algorithm == self.0);
        known.map_or("", |(name, _)| name)
    }

    /// Whether both sides share one secret.
    #[must_use]
    pub fn is_symmetric(self) -> bool {
        self.0.family() == AlgorithmFamily::Hmac
    }

    /// Bytes that a shared secret needs: as many as the hash has (RFC 7518 section 3.2).
    fn least_secret(self) -> usize {
        match self.0 {
            jsonwebtoken::Algorithm::HS512 => 64,
            jsonwebtoken::Algorithm::HS384 => 48,
            _ => 32,
        }
    }
}

impl FromStr for Algorithm {
    type Err = KeyError;

    fn from_str(name: &str) -> Result<Self, KeyError> {
        let known = ALGORITHMS.iter().find(|(known, _)| *known == name);
        known.map(|(_, algorithm)| Self(*algorithm)).ok_or_else(|| KeyError::Algorithm(name.to_owned()))
    }
}

/// A key, with the algorithms it may be used for. The algorithm is never taken from a token.
#[derive(Clone)]
pub struct Key {
    decoding: DecodingKey,
    algorithms: Vec<Algorithm>,
    id: Option<String>,
    /// Length of a secret that is too short for its algorithm.
    short: Option<usize>,
}

impl Key {
    /// A shared secret for HMAC with SHA-256.
    ///
    /// # Errors
    /// [`KeyError::TooShort`] below 32 bytes: RFC 7518 section 3.2 asks for a key as long as the hash.
    pub fn hs256(secret: &[u8]) -> Result<Self, KeyError> {
        Self::new(secret, Algorithm::HS256)
    }

    /// A key for one algorithm: a shared secret for HMAC, a public key in PEM for all others.
    ///
    /// # Errors
    /// [`KeyError`] if the secret is too short or the PEM does not hold a key for the algorithm.
    pub fn new(material: &[u8], algorithm: Algorithm) -> Result<Self, KeyError> {
        let pem = |error: jsonwebtoken::errors::Error| KeyError::Pem {
            algorithm: algorithm.name(),
            reason: error.to_string(),
        };
        let decoding = match algorithm.0.family() {
            AlgorithmFamily::Hmac => {
                let (length, least) = (material.len(), algorithm.least_secret());
                if length < least {
                    return Err(KeyError::TooShort { length, least, algorithm: algorithm.name() });
                }
                DecodingKey::from_secret(material)
            }
            AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(material).map_err(pem)?,
            AlgorithmFamily::Ec => DecodingKey::from_ec_pem(material).map_err(pem)?,
            AlgorithmFamily::Ed => DecodingKey::from_ed_pem(material).map_err(pem)?,
        };
        Ok(Self { decoding, algorithms: vec![algorithm], id: None, short: None })
    }

    /// The same, but a secret may be too short to be safe: earlier hubs took any, and their publishers have it. A hub takes
    /// such a key only if it serves an earlier generation of the protocol ([`crate::HubBuilder::compat`]), and warns of it.
    ///
    /// # Errors
    /// [`KeyError`] if the secret is empty or the PEM does not hold a key for the algorithm.
    pub fn maybe_short(material: &[u8], algorithm: Algorithm) -> Result<Self, KeyError> {
        match Self::new(material, algorithm) {
            Err(KeyError::TooShort { length: length @ 1.., .. }) => {
                let decoding = DecodingKey::from_secret(material);
                Ok(Self { decoding, algorithms: vec![algorithm], id: None, short: Some(length) })
            }
            other => other,
        }
    }

    /// The length of its secret in bytes, if that is too short to be safe.
    #[must_use]
    pub fn short(&self) -> Option<usize> {
        self.short
    }

    pub(super) fn of_set(decoding: DecodingKey, algorithms: Vec<Algorithm>, id: Option<String>) -> Self {
        Self { decoding, algorithms, id, short: None }
    }

    /// Whether a token whose header names `kid` says that it is signed with this key.
    pub(crate) fn is_named(&self, kid: &str) -> bool {
        self.id.as_deref() == Some(kid)
    }

    /// What a token whose header names `alg` would be verified with.
    pub(crate) fn fits(&self, alg: &str) -> Option<Algorithm> {
        self.algorithms.iter().find(|algorithm| algorithm.name() == alg).copied()
    }

    /// Whether `signature` (base64url) is this key's over `message`. HMACs are compared in constant time by the library.
    pub(crate) fn verifies(&self, algorithm: Algorithm, signature: &str, message: &[u8]) -> bool {
        jsonwebtoken::crypto::verify(signature, message, &self.decoding, algorithm.0).unwrap_or(false)
    }
}

/// A new secret of 256 random bits, as text.
#[must_use]
pub fn random_secret() -> String {
    // Two random UUIDs have 244 random bits; a third one makes up for the fixed ones.
    let parts: [Uuid; 3] = std::array::from_fn(|_| Uuid::new_v4());
    parts.map(|part| part.simple().to_string()).concat()
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.algorithms.iter().map(|algorithm| algorithm.name()).collect();
        f.debug_struct("Key").field("algorithms", &names).field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The secret is shorter than its algorithm allows.
    #[error(
        "the secret has {length} bytes, {algorithm} needs at least {least}; make one with `openssl rand -base64 {}`",
        .least * 3 / 2
    )]
    TooShort {
        /// Length of the refused secret, in bytes.
        length: usize,
        /// Length that it needs, in bytes.
        least: usize,
        /// The algorithm that needs it.
        algorithm: &'static str,
    },
    /// There is no such algorithm.
    #[error("{0:?} is not an algorithm for tokens; known are {known}", known = names())]
    Algorithm(String),
    /// The PEM is none, or holds a key for something else.
    #[error("this is not a public key in PEM for {algorithm}: {reason}")]
    Pem {
        /// What it was to be used for.
        algorithm: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

fn names() -> String {
    let names: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

pub(super) const ALGORITHMS: &[(&str, jsonwebtoken::Algorithm)] = &[
    ("HS256", jsonwebtoken::Algorithm::HS256),
    ("HS384", jsonwebtoken::Algorithm::HS384),
    ("HS512", jsonwebtoken::Algorithm::HS512),
    ("RS256", jsonwebtoken::Algorithm::RS256),
    ("RS384", jsonwebtoken::Algorithm::RS384),
    ("RS512", jsonwebtoken::Algorithm::RS512),
    ("PS256", jsonwebtoken::Algorithm::PS256),
    ("PS384", jsonwebtoken::Algorithm::PS384),
    ("PS512", jsonwebtoken::Algorithm::PS512),
    ("ES256", jsonwebtoken::Algorithm::ES256),
    ("ES384", jsonwebtoken::Algorithm::ES384),
    ("EdDSA", jsonwebtoken::Algorithm::EdDSA),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_secret_is_refused_with_its_length() {
        let error = Key::hs256(b"short").unwrap_err();
        assert_eq!(error, KeyError::TooShort { length: 5, least: 32, algorithm: "HS256" });
        assert!(error.to_string().contains("openssl rand -base64 48"));
        assert!(Key::hs256(&[7; 32]).is_ok());
        assert!(Key::new(&[7; 63], "HS512".parse().unwrap()).is_err());
    }

    #[test]
    fn none_is_no_algorithm_and_a_secret_no_public_key() {
        for name in ["none", "hs256", "", "ES512"] {
            assert!(name.parse::<Algorithm>().is_err(), "{name}");
        }
        let error = Key::new(&[7; 64], "RS256".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("PEM for RS256"), "{error}");
    }

    #[test]
    fn a_key_never_prints_its_secret() {
        let key = Key::hs256(b"abcdefghijklmnopqrstuvwxyz0123456789").unwrap();
        assert_eq!(format!("{key:?}"), "Key { algorithms: [\"HS256\"], id: None, .. }");
    }
}
