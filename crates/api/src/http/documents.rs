//! Documents about the API itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::{Html, IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE};
use http::{Method, StatusCode};
use serde_json::Value;

use super::negotiate::prefers_html;
use super::{Api, Format, Problem};
use crate::jsonld;

type Handler = fn(Arc<Api>, Request) -> Pin<Box<dyn Future<Output = Response> + Send>>;

/// Their paths.
pub(crate) fn routes() -> [(&'static str, Handler); 4] {
    let documentation: Handler =
        |api, request| Box::pin(async move { show(&request, || documentation(&api)) });
    [
        ("/", |api, request| Box::pin(async move { show(&request, || root(&api, &request)) })),
        (jsonld::DOCS, documentation),
        ("/docs", documentation),
        ("/contexts/{name}", |api, request| {
            Box::pin(async move { show(&request, || context(&api, &request)) })
        }),
    ]
}

fn show(request: &Request, document: impl FnOnce() -> Result<Response, Problem>) -> Response {
    match *request.method() {
        Method::GET | Method::HEAD => document().unwrap_or_else(IntoResponse::into_response),
        Method::OPTIONS => (StatusCode::NO_CONTENT, [(ALLOW, READ)]).into_response(),
        ref other => Problem::method_not_allowed(other, READ).into_response(),
    }
}

/// The page for browsers, the entrypoint for everyone else.
fn root(api: &Api, request: &Request) -> Result<Response, Problem> {
    if let Some(page) = api.page.filter(|_| prefers_html(request.headers())) {
        return Ok(Html(page).into_response());
    }
    let format = Format::choose(request.headers())?;
    Ok(with_type(format, &jsonld::entrypoint(api.infos().into_iter())))
}

fn documentation(api: &Api) -> Result<Response, Problem> {
    Ok(with_type(Format::JsonLd, &jsonld::documentation(&api.title, &api.base, &api.infos())))
}

fn context(api: &Api, request: &Request) -> Result<Response, Problem> {
    let name = request.uri().path().trim_start_matches("/contexts/");
    let context = jsonld::context(name, &api.base, &api.infos());
    let context = context.ok_or_else(|| Problem::not_found(format!("There is no context {name:?}.")))?;
    Ok(with_type(Format::JsonLd, &context))
}

fn with_type(format: Format, document: &Value) -> Response {
    ([(CONTENT_TYPE, format.content_type())], document.to_string()).into_response()
}

const READ: &str = "GET, HEAD, OPTIONS";
