//! What stands beside the hub: nothing, or the debugger, a page below the hub's own path.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use petasos_hub::Hub;
use serde_json::json;

use crate::config::Config;

/// Answers everything that is none of the hub's own paths. `token` is for the debugger of a hub to try.
pub(super) fn router(config: &Config, hub: &Hub, token: Option<&str>) -> Router {
    let mut router = Router::new();
    if config.is_on("debugger") {
        router = debugger(config, hub.url().path(), token);
    }
    let path: Arc<str> = hub.url().path().into();
    let nothing =
        async move || (StatusCode::NOT_FOUND, format!("There is only a Mercure hub here, at {path}.\n"));
    router.fallback(nothing).layer(from_fn_with_state(hub.clone(), only_to_our_hosts))
}

/// Where the debugger is, below the hub's own path.
pub(super) const SEGMENT: &str = "debug";

fn debugger(config: &Config, hub: &str, token: Option<&str>) -> Router {
    let base = format!("{}/{SEGMENT}", hub.trim_end_matches('/'));
    let mut router = Router::new();
    for (name, media_type, content) in FILES {
        let file = get(async move || ([(CONTENT_TYPE, *media_type)], *content));
        router = router.route(&format!("{base}/{name}"), file);
    }
    let settings = json!({"dev": config.is_on("dev"), "token": token}).to_string();
    let answer =
        async move || ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], settings.clone());
    router = router.route(&format!("{base}/settings.json"), get(answer));
    let page = format!("{base}/");
    let there = page.clone();
    router = router.route(&base, get(async move || Redirect::temporary(&there)));
    if config.is_on("dev") {
        router = router.route("/", get(async move || Redirect::temporary(&page)));
    }
    router.layer(from_fn(protect))
}

/// What reaches this machine under a foreign name (DNS rebinding) must not read the debugger's token.
async fn only_to_our_hosts(State(hub): State<Hub>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match hub.misdirected(&parts) {
        Some(refusal) => refusal.map(Body::new),
        None => next.run(Request::from_parts(parts, body)).await,
    }
}

/// The page runs its own scripts and nothing else, talks to its own hub and nobody else, and no other page may frame it.
async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in PROTECTION {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    response.into_response()
}

const PROTECTION: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

const FILES: &[(&str, &str, &str)] = &[
    ("", "text/html; charset=utf-8", include_str!("../../../debugger/index.html")),
    ("answers.js", SCRIPT, include_str!("../../../debugger/answers.js")),
    ("app.js", SCRIPT, include_str!("../../../debugger/app.js")),
    ("curl.js", SCRIPT, include_str!("../../../debugger/curl.js")),
    ("dom.js", SCRIPT, include_str!("../../../debugger/dom.js")),
    ("events.js", SCRIPT, include_str!("../../../debugger/events.js")),
    ("json.js", SCRIPT, include_str!("../../../debugger/json.js")),
    ("mark.svg", "image/svg+xml", include_str!("../../../debugger/mark.svg")),
    ("rows.js", SCRIPT, include_str!("../../../debugger/rows.js")),
    ("sse.js", SCRIPT, include_str!("../../../debugger/sse.js")),
    ("stream.js", SCRIPT, include_str!("../../../debugger/stream.js")),
    ("style.css", "text/css; charset=utf-8", include_str!("../../../debugger/style.css")),
    ("subscriptions.js", SCRIPT, include_str!("../../../debugger/subscriptions.js")),
    ("token.js", SCRIPT, include_str!("../../../debugger/token.js")),
];

const SCRIPT: &str = "text/javascript; charset=utf-8";
