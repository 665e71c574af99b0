//! Makes tokens, good ones and bad ones.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use crate::Hub;

/// The claims of a token.
pub type Claims = Value;

/// An authorization detail.
#[must_use]
pub fn detail(actions: &[&str], topics: &Value) -> Value {
    json!({"type": "https://mercure.rocks/authorization-detail", "actions": actions, "topics": topics})
}

/// Claims that a hub takes.
#[must_use]
pub fn claims(hub: &Hub, details: &[Value]) -> Claims {
    json!({"iss": hub.issuer, "aud": hub.audience, "exp": FAR, "authorization_details": details})
}

/// Signs claims as an access token.
#[must_use]
pub fn sign(claims: &Claims, secret: &str) -> String {
    compact(&json!({"alg": "HS256", "typ": "at+jwt"}).to_string(), &claims.to_string(), secret)
}

/// Signs any header and payload with HMAC-SHA256, whatever they say.
///
/// # Panics
/// Never: an HMAC can be made with any secret.
#[must_use]
pub fn compact(header: &str, payload: &str, secret: &str) -> String {
    let input = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature = crypto::sign(input.as_bytes(), &key, Algorithm::HS256).unwrap_or_default();
    format!("{input}.{signature}")
}

/// The year 2100.
const FAR: u64 = 4_102_444_800;
