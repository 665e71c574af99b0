//! Errors on the wire: RFC 9457 problem details, and the challenges of RFC 6750 (AUTH.4). The one place that maps them.

use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Response, StatusCode};
use petasos_protocol::{HubUrl, PublishFormError, SubscribeError, metadata};
use serde_json::json;

use super::{HubBody, allow};
use crate::admission::Crowded;
use crate::hub::PublishError;
use crate::transport::{AppendError, ReadError};

/// An error as a client sees it.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    challenge: Option<HeaderValue>,
    allow: Option<&'static str>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), challenge: None, allow: None }
    }

    pub(crate) fn method_not_allowed(method: &Method, allow: &'static str) -> Self {
        let detail = format!("{method} does nothing here. Use one of: {allow}.");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, detail) }
    }

    /// A token is needed and none was sent: no error code, only how to get on (RFC 6750 section 3.1).
    pub(crate) fn token_needed(hub: &HubUrl) -> Self {
        let detail =
            "This needs an access token, in the Authorization header as `Bearer` or in the hub's cookie.";
        Self { challenge: challenge(hub, None), ..Self::new(StatusCode::UNAUTHORIZED, detail) }
    }

    /// One message for every cause, so that a stranger learns nothing from trying.
    pub(crate) fn invalid_token(hub: &HubUrl) -> Self {
        let detail =
            "The access token is malformed, expired, not meant for this hub, or not signed by a trusted key.";
        Self {
            challenge: challenge(hub, Some("invalid_token")),
            ..Self::new(StatusCode::UNAUTHORIZED, detail)
        }
    }

    /// Says something else.
    pub(crate) fn because(self, detail: String) -> Self {
        Self { detail, ..self }
    }

    pub(crate) fn insufficient_scope(hub: &HubUrl, detail: impl Into<String>) -> Self {
        Self {
            challenge: challenge(hub, Some("insufficient_scope")),
            ..Self::new(StatusCode::FORBIDDEN, detail)
        }
    }

    pub(crate) fn invalid_request(hub: &HubUrl, detail: impl Into<String>) -> Self {
        Self {
            challenge: challenge(hub, Some("invalid_request")),
            ..Self::new(StatusCode::BAD_REQUEST, detail)
        }
    }

    pub(crate) fn into_response(self) -> Response<HubBody> {
        let document = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = Response::new(HubBody::full(document.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(methods) = self.allow {
            allow(&mut response, methods);
        }
        response
    }
}

fn challenge(hub: &HubUrl, error: Option<&str>) -> Option<HeaderValue> {
    let resource = metadata::url(hub);
    let value = match error {
        None => format!("Bearer resource_metadata=\"{resource}\""),
        Some(error) => format!("Bearer error=\"{error}\", resource_metadata=\"{resource}\""),
    };
    // A URL holds no character that a header may not.
    HeaderValue::try_from(value).ok()
}

impl From<PublishFormError> for Problem {
    fn from(error: PublishFormError) -> Self {
        let status =
            if error.is_too_large() { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
        Self::new(status, error.to_string())
    }
}

impl From<SubscribeError> for Problem {
    fn from(error: SubscribeError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Self {
        let status = match &error {
            PublishError::Reserved(_) => StatusCode::BAD_REQUEST,
            PublishError::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            PublishError::UnderWay => StatusCode::CONFLICT,
            PublishError::History(AppendError::Closed | AppendError::Full(_) | AppendError::Storage(_)) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            PublishError::Id(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            tracing::error!(%error, "an update was not published");
            return Self::new(
                status,
                "The update was not published: the hub cannot store it now. Try again later.",
            );
        }
        Self::new(status, error.to_string())
    }
}

impl From<Crowded> for Problem {
    fn from(crowded: Crowded) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, crowded.to_string())
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "a subscription was refused");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "The hub cannot read its history now. Try again later.")
    }
}
