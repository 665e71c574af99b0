//! Headers that all responses share.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{LINK, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderValue};
use petasos_protocol::link;

use super::{Api, cors};
use crate::jsonld::DOCS;

/// Adds what belongs on every response, errors included.
pub(crate) async fn finish(api: &Api, request: Request, next: Next) -> Response {
    let asked = request.headers().clone();
    let mut response = if cors::is_preflight(&request) { cors::preflight() } else { next.run(request).await };
    let headers = response.headers_mut();
    link_documentation(api, headers);
    headers.append(VARY, HeaderValue::from_static("Accept"));
    set_default(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set_default(headers, X_FRAME_OPTIONS, "deny");
    cors::allow(&api.origins, api.authorizer.is_some(), &asked, headers);
    response
}

/// Clients take the first link that looks right, so this one stands before the hub's.
fn link_documentation(api: &Api, headers: &mut HeaderMap) {
    let target = format!("{}{DOCS}", api.base);
    let link = link::format(&target, "http://www.w3.org/ns/hydra/core#apiDocumentation", &[]);
    let others: Vec<HeaderValue> = headers.get_all(LINK).iter().cloned().collect();
    headers.remove(LINK);
    headers.extend(HeaderValue::try_from(link).ok().into_iter().chain(others).map(|value| (LINK, value)));
}

fn set_default(headers: &mut HeaderMap, name: http::HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
