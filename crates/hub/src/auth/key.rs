//! Keys that verify tokens.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey};
use uuid::Uuid;

/// A key, with the algorithms it may be used for. The algorithm is never taken from a token.
#[derive(Clone)]
pub struct Key {
    decoding: DecodingKey,
    algorithm: Algorithm,
}

impl Key {
    /// A shared secret for HMAC with SHA-256.
    ///
    /// # Errors
    /// [`KeyError::TooShort`] below 32 bytes: RFC 7518 section 3.2 asks for a key as long as the hash.
    pub fn hs256(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < MIN_SECRET {
            return Err(KeyError::TooShort { length: secret.len() });
        }
        Ok(Self { decoding: DecodingKey::from_secret(secret), algorithm: Algorithm::HS256 })
    }

    /// Whether a token whose header names `alg` may be tried with this key.
    pub(crate) fn fits(&self, alg: &str) -> bool {
        match self.algorithm {
            Algorithm::HS256 => alg == "HS256",
            _ => false,
        }
    }

    /// Whether `signature` (base64url) is this key's over `message`. HMACs are compared in constant time by the library.
    pub(crate) fn verifies(&self, signature: &str, message: &[u8]) -> bool {
        jsonwebtoken::crypto::verify(signature, message, &self.decoding, self.algorithm).unwrap_or(false)
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
        f.debug_struct("Key").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The secret is shorter than its algorithm allows.
    #[error(
        "the secret has {length} bytes, HS256 needs at least {MIN_SECRET}; make one with `openssl rand -base64 48`"
    )]
    TooShort {
        /// Length of the refused secret, in bytes.
        length: usize,
    },
}

const MIN_SECRET: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_secret_is_refused_with_its_length() {
        let error = Key::hs256(b"short").unwrap_err();
        assert_eq!(error, KeyError::TooShort { length: 5 });
        assert!(Key::hs256(&[7; 32]).is_ok());
    }

    #[test]
    fn a_key_never_prints_its_secret() {
        let key = Key::hs256(b"abcdefghijklmnopqrstuvwxyz0123456789").unwrap();
        assert_eq!(format!("{key:?}"), "Key { algorithm: HS256, .. }");
    }
}
