//! What clients send.

use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::{Map, Value};

use super::Problem;

/// Media types of documents that create or replace.
pub(crate) const DOCUMENTS: &str = "application/ld+json, application/json";
/// Media type of documents that change some members (RFC 7396).
pub(crate) const PATCHES: &str = "application/merge-patch+json";

/// Reads a JSON object of one of these media types; `header` tells a client that sent another which there are.
///
/// # Errors
/// 400 for malformed JSON, 413 beyond the limit, 415 for another media type.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    types: &'static str,
    header: HeaderName,
) -> Result<Map<String, Value>, Problem> {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    if !types.split(", ").any(|known| known.eq_ignore_ascii_case(essence)) {
        let detail = format!("The media type {essence:?} is not supported here. Use one of: {types}.");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).with(header, types));
    }
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            return Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("The body is larger than {MAX_BODY} bytes."),
            );
        }
        Problem::bad_request(format!("The body broke off: {error}."))
    })?;
    match serde_json::from_slice(&body.to_bytes()) {
        Ok(Value::Object(document)) => Ok(document),
        Ok(_) => Err(Problem::bad_request("The body must be a JSON object.")),
        Err(error) => Err(Problem::bad_request(format!("The body is not JSON: {error}."))),
    }
}

const MAX_BODY: usize = 1 << 20;
