//! Who may call the hub from a page of another origin (SUB.9) and who may publish with a cookie (PUB.9).

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, REFERER,
    VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::subscribe::EARLIER_LAST_EVENT_ID;
use super::{HubBody, allow as allow_methods};
use crate::builder::Policy;

/// Adds what a browser needs to let a page read the answer. An origin that is not on the list gets nothing.
pub(crate) fn allow(policy: &Policy, request: &HeaderMap, response: &mut HeaderMap) {
    if policy.cors_origins.is_empty() {
        return;
    }
    response.append(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = request.get(ORIGIN) else { return };
    let listed = origin.to_str().is_ok_and(|origin| policy.cors_origins.contains(origin));
    if listed {
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    } else if policy.cors_origins.contains("*") {
        // Never together with credentials: any page could read what a cookie entitles to.
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        return;
    }
    let exposed = match response.contains_key(EARLIER_LAST_EVENT_ID) {
        true => "Link, Mercure-Last-Event-ID, Last-Event-ID",
        false => "Link, Mercure-Last-Event-ID",
    };
    response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
}

/// The answer to a preflight; [`allow`] decides whether the origin may use it.
pub(crate) fn preflight(methods: &'static str) -> Response<HubBody> {
    let mut response = Response::new(HubBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    allow_methods(&mut response, methods);
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    let names = "Authorization, Cache-Control, Content-Type, Idempotency-Key, Last-Event-ID";
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(names));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    response
}

/// Whether a request that carries a cookie comes from a page that may publish.
pub(crate) fn may_publish(policy: &Policy, headers: &HeaderMap) -> bool {
    let origin = match (headers.get(ORIGIN), headers.get(REFERER)) {
        (Some(origin), _) => origin.to_str().ok().map(str::to_owned),
        (None, Some(referer)) => referer.to_str().ok().and_then(origin_of),
        (None, None) => None,
    };
    origin.is_some_and(|origin| policy.publish_origins.contains(&origin))
}

fn origin_of(url: &str) -> Option<String> {
    Some(url::Url::parse(url).ok()?.origin().ascii_serialization())
}
