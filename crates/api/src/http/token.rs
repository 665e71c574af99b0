//! Hands tokens for the hub to clients that can send headers, where the application wants that.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use serde_json::json;

use super::{Api, Problem};
use crate::live::Denied;

pub(crate) async fn handle(api: Arc<Api>, request: Request) -> Response {
    let result = match *request.method() {
        Method::GET | Method::HEAD => token(&api, &request),
        Method::OPTIONS => Ok((StatusCode::NO_CONTENT, [(ALLOW, METHODS)]).into_response()),
        ref other => Err(Problem::method_not_allowed(other, METHODS)),
    };
    let mut response = result.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert(CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}

/// In the form of RFC 6749 section 5.1. The cookie is renewed with it.
fn token(api: &Api, request: &Request) -> Result<Response, Problem> {
    let nowhere = || Problem::not_found("There is no such hub.");
    let authorizer = api.authorizer.as_ref().ok_or_else(nowhere)?;
    let query = request.uri().query().unwrap_or_default();
    let hub =
        url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "hub").map(|(_, hub)| hub);
    let granted = authorizer.token(request.extensions(), hub.as_deref()).map_err(|denied| match denied {
        Denied::Anonymous => {
            Problem::new(StatusCode::UNAUTHORIZED, "Nobody is signed in.").with(WWW_AUTHENTICATE, "Bearer")
        }
        Denied::UnknownHub => nowhere(),
        Denied::Broken(reason) => {
            tracing::error!(reason, "a user gets no token");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on the server.")
        }
    })?;
    let document = json!({
        "access_token": granted.token,
        "token_type": "Bearer",
        "expires_in": granted.expires_in,
        "hub": granted.hub,
    });
    let mut response = ([(CONTENT_TYPE, "application/json")], document.to_string()).into_response();
    let cookies = authorizer.cookies(request.extensions());
    response.headers_mut().extend(cookies.into_iter().map(|cookie| (SET_COOKIE, cookie)));
    Ok(response)
}

const METHODS: &str = "GET, HEAD, OPTIONS";
