//! Errors as clients see them: problem details (RFC 9457) in the shape that Hydra clients read. The one place that maps them.

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use crate::resource::{StoreError, Violation};

/// An error with its public text.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    violations: Vec<Violation>,
    headers: Vec<(HeaderName, &'static str)>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), violations: Vec::new(), headers: Vec::new() }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn method_not_allowed(method: &Method, allow: &'static str) -> Self {
        let detail = format!("{method} does nothing here. Use one of: {allow}.");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, detail).with(ALLOW, allow)
    }

    pub(crate) fn invalid(violations: Vec<Violation>) -> Self {
        let lines: Vec<String> = violations.iter().map(line).collect();
        Self { violations, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, lines.join("\n")) }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn document(&self) -> Value {
        let title = if self.violations.is_empty() {
            self.status.canonical_reason().unwrap_or("Error")
        } else {
            "An error occurred"
        };
        let (context, kind, id) = if self.violations.is_empty() {
            ("/contexts/Error", "hydra:Error", format!("/errors/{}", self.status.as_u16()))
        } else {
            (
                "/contexts/ConstraintViolation",
                "ConstraintViolation",
                format!("/validation_errors/{}", self.violations[0].code),
            )
        };
        let mut document = json!({
            "@context": context,
            "@id": id,
            "@type": kind,
            "type": id,
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "hydra:title": title,
            "hydra:description": self.detail,
        });
        if !self.violations.is_empty() {
            let violation = |violation: &Violation| json!({"propertyPath": violation.field, "message": violation.message, "code": violation.code});
            document["violations"] = self.violations.iter().map(violation).collect();
        }
        document
    }
}

fn line(violation: &Violation) -> String {
    if violation.field.is_empty() {
        violation.message.clone()
    } else {
        format!("{}: {}", violation.field, violation.message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.document().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json; charset=utf-8"));
        for (name, value) in self.headers {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Violated(violation) => Self::invalid(vec![violation]),
            StoreError::Busy(reason) => {
                tracing::warn!(reason, "a request found the database busy");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "The database is busy. Try again.")
                    .with(RETRY_AFTER, "1")
            }
            StoreError::Failed(reason) => {
                tracing::error!(reason, "a request failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on the server.")
            }
        }
    }
}
