//! Credentials, and tokens made with them.

use std::fmt;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use petasos_protocol::compat::Generation;
use petasos_protocol::token::split;
use serde_json::Value;

/// What a program authorises itself with: `MERCURE_JWT_SECRET`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credential {
    /// A token that someone else made.
    Jwt(Jwt),
    /// A secret to make tokens with.
    Secret(Secret),
}

impl Credential {
    /// Tells a ready token from a secret by its form: three base64url parts, the first of which is a JSON header.
    ///
    /// # Errors
    /// [`CredentialError`] if it is neither a token nor a secret of at least 32 bytes. The message never shows the value.
    pub fn parse(value: &str) -> Result<Self, CredentialError> {
        if split(value).is_ok() {
            return Ok(Self::Jwt(Jwt(value.to_owned())));
        }
        Secret::new(value.as_bytes()).map(Self::Secret)
    }

    /// The same for a hub of this generation: those of earlier ones may have a secret of any length.
    ///
    /// # Errors
    /// As [`Credential::parse`].
    pub fn parse_for(generation: Generation, value: &str) -> Result<Self, CredentialError> {
        match Self::parse(value) {
            Err(CredentialError { length: 1.. }) if generation != Generation::Current => {
                Ok(Self::Secret(Secret(EncodingKey::from_secret(value.as_bytes()))))
            }
            other => other,
        }
    }
}

/// A ready token. Printing it for debugging shows nothing of it.
#[derive(Clone)]
pub struct Jwt(String);

impl Jwt {
    /// The token itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jwt(..)")
    }
}

/// A shared secret for HMAC with SHA-256. Printing it for debugging shows nothing of it.
#[derive(Clone)]
pub struct Secret(EncodingKey);

impl Secret {
    /// A secret of at least 32 bytes (RFC 7518 section 3.2).
    ///
    /// # Errors
    /// [`CredentialError`] if it is shorter.
    pub fn new(secret: &[u8]) -> Result<Self, CredentialError> {
        if secret.len() < MIN_SECRET {
            return Err(CredentialError { length: secret.len() });
        }
        Ok(Self(EncodingKey::from_secret(secret)))
    }

    /// One that nobody knows: for whoever needs a secret but no hub.
    pub(crate) fn throwaway() -> Self {
        let random =
            [uuid::Uuid::new_v4(), uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].map(uuid::Uuid::into_bytes);
        Self(EncodingKey::from_secret(random.as_flattened()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Signs claims (see [`petasos_protocol::token::ClaimsBuilder`]) as an access token.
///
/// # Errors
/// [`MintError`] if the claims cannot be serialised.
pub fn mint(secret: &Secret, claims: &Value) -> Result<String, MintError> {
    let header = Header { typ: Some("at+jwt".to_owned()), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, claims, &secret.0).map_err(|error| MintError(error.to_string()))
}

/// Signs claims of an earlier generation of the protocol: a `mercure` claim.
///
/// # Errors
/// [`MintError`] if the claims cannot be serialised.
pub fn mint_earlier(secret: &Secret, claims: &Value) -> Result<String, MintError> {
    let header = Header::new(Algorithm::HS256);
    jsonwebtoken::encode(&header, claims, &secret.0).map_err(|error| MintError(error.to_string()))
}

/// A value is neither a token nor a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is neither a JWT nor a secret of at least {MIN_SECRET} bytes: it has {length}; make a secret with `openssl rand -base64 48`"
)]
pub struct CredentialError {
    length: usize,
}

/// A token could not be made.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the token cannot be made: {0}")]
pub struct MintError(String);

const MIN_SECRET: usize = 32;

#[cfg(test)]
mod tests {
    use petasos_protocol::token::ClaimsBuilder;

    use super::*;

    const LONG: &str = "a secret of at least thirty-two bytes";

    #[test]
    fn a_token_is_told_from_a_secret_by_its_form() {
        let Credential::Secret(secret) = Credential::parse(LONG).unwrap() else { panic!("a secret") };
        let token = mint(&secret, &ClaimsBuilder::new("me", &["hub"]).build(1, 2)).unwrap();
        assert!(split(&token).unwrap().header.is_access_token());
        assert!(matches!(Credential::parse(&token).unwrap(), Credential::Jwt(jwt) if jwt.as_str() == token));
        assert!(matches!(
            Credential::parse("dotted.secrets.are.secrets.too.if.they.are.long").unwrap(),
            Credential::Secret(_)
        ));
    }

    #[test]
    fn hubs_of_earlier_generations_may_have_short_secrets() {
        for generation in [Generation::Selectors, Generation::Targets] {
            assert!(Credential::parse_for(generation, "!UnsecureChangeMe!").is_ok());
            assert!(Credential::parse_for(generation, "").is_err());
        }
        assert!(Credential::parse_for(Generation::Current, "!UnsecureChangeMe!").is_err());
    }

    #[test]
    fn nothing_prints_what_is_secret() {
        let error = Credential::parse("hunter2").unwrap_err().to_string();
        assert!(error.contains("it has 7") && !error.contains("hunter2"));
        assert_eq!(format!("{:?}", Credential::parse(LONG).unwrap()), "Secret(Secret(..))");
    }
}
