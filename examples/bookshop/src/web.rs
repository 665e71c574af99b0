//! The web page: files that are part of the program, served with validators and a strict content policy.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Everything that the page's responses are made from.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    index: String,
    policy: HeaderValue,
}

impl Page {
    /// A page that names `database` (the path of the SQLite file, if it is one) and may talk to `hub`, which need not
    /// have the origin of the page.
    pub(crate) fn new(database: Option<&str>, hub: &str) -> anyhow::Result<Self> {
        let index = INDEX.replace("{{database}}", &escape(database.unwrap_or_default()));
        let policy = HeaderValue::from_str(&policy(hub))?;
        Ok(Self { index, policy })
    }

    /// Adds the page to an API: `/` gives it to browsers and the API's entrypoint to everything else.
    pub(crate) fn around(self, api: Router) -> Router {
        api.layer(middleware::from_fn_with_state(self.clone(), page_or_api))
            .route("/assets/{*path}", get(asset).with_state(self))
    }
}

async fn page_or_api(State(page): State<Page>, request: Request, next: Next) -> Response {
    if request.uri().path() != "/" {
        return next.run(request).await;
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !(reads && prefers_html(request.headers())) {
        return next.run(request).await;
    }
    let mut response = file(HTML, &page.index, &page, request.headers());
    // The API says so of its own answer.
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

async fn asset(State(page): State<Page>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    match ASSETS.iter().find(|asset| asset.path == path) {
        Some(asset) => file(asset.media_type, asset.text, &page, &headers),
        None => (StatusCode::NOT_FOUND, "There is no such file.\n").into_response(),
    }
}

/// Browsers ask again each time, which costs a 304, and so never mix two versions of the page.
fn file(media_type: &'static str, text: &str, page: &Page, asked: &HeaderMap) -> Response {
    let tag = entity_tag(text);
    let known = asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value == "*" || value.contains(&tag));
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_SECURITY_POLICY, page.policy.clone()),
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    let tagged = [(header::ETAG, tag)];
    if known {
        return (StatusCode::NOT_MODIFIED, headers, tagged).into_response();
    }
    (headers, tagged, text.to_owned()).into_response()
}

fn entity_tag(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

fn policy(hub: &str) -> String {
    // The origin of `https://host:port/path` is what precedes the path.
    let origin = hub.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; worker-src 'self'; \
         connect-src 'self' {origin}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

/// Browsers name `text/html`; `*/*`, which `curl` and the JavaScript clients send, asks for the API.
fn prefers_html(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<(&str, f32)> = accept.flat_map(|value| value.split(',')).map(media_range).collect();
    let quality = |wanted: &[&str]| {
        let named =
            ranges.iter().filter(|(name, _)| wanted.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)));
        named.map(|&(_, quality)| quality).fold(0.0, f32::max)
    };
    let html = quality(&["text/html", "application/xhtml+xml"]);
    html > 0.0 && html >= quality(&["application/ld+json", "application/json"])
}

/// `text/html;q=0.8` as its name and its quality.
fn media_range(range: &str) -> (&str, f32) {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (name, quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0)))
}

#[derive(Debug)]
struct Asset {
    path: &'static str,
    media_type: &'static str,
    text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const INDEX: &str = include_str!("../web/index.html");

macro_rules! assets {
    ($($path:literal as $media_type:literal),* $(,)?) => {
        &[$(Asset { path: $path, media_type: $media_type, text: include_str!(concat!("../web/", $path)) }),*]
    };
}

const ASSETS: &[Asset] = assets![
    "announce.js" as "text/javascript; charset=utf-8",
    "api.js" as "text/javascript; charset=utf-8",
    "app.js" as "text/javascript; charset=utf-8",
    "cover.js" as "text/javascript; charset=utf-8",
    "dom.js" as "text/javascript; charset=utf-8",
    "feed.js" as "text/javascript; charset=utf-8",
    "fields.js" as "text/javascript; charset=utf-8",
    "form.js" as "text/javascript; charset=utf-8",
    "format.js" as "text/javascript; charset=utf-8",
    "link.js" as "text/javascript; charset=utf-8",
    "live/live.js" as "text/javascript; charset=utf-8",
    "live/relay.js" as "text/javascript; charset=utf-8",
    "live/sse.js" as "text/javascript; charset=utf-8",
    "live/stream.js" as "text/javascript; charset=utf-8",
    "live/worker.js" as "text/javascript; charset=utf-8",
    "mark.svg" as "image/svg+xml",
    "motion.js" as "text/javascript; charset=utf-8",
    "readers.js" as "text/javascript; charset=utf-8",
    "sheet.js" as "text/javascript; charset=utf-8",
    "shelf.js" as "text/javascript; charset=utf-8",
    "status.js" as "text/javascript; charset=utf-8",
    "store.js" as "text/javascript; charset=utf-8",
    "style.css" as "text/css; charset=utf-8",
    "try.js" as "text/javascript; charset=utf-8",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))])
    }

    #[test]
    fn browsers_get_the_page_and_everything_else_the_api() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        assert!(prefers_html(&accept(browser)));
        assert!(prefers_html(&accept("TEXT/HTML")));
        for api in ["*/*", "application/ld+json", "text/html;q=0", "text/html;q=0.5, application/json", ""] {
            assert!(!prefers_html(&accept(api)), "{api}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn every_file_that_the_page_names_is_served() {
        let served = |path: &str| ASSETS.iter().any(|asset| asset.path == path);
        for named in INDEX.split("\"/assets/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(served(named), "{named}");
        }
        for asset in ASSETS {
            let folder =
                asset.path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
            for named in asset.text.split("'./").skip(1).filter_map(|rest| rest.split('\'').next()) {
                assert!(served(&format!("{folder}{named}")), "{} imports {named}", asset.path);
            }
        }
    }

    #[test]
    fn the_page_names_the_database_as_text() {
        let page = Page::new(Some("a\"<&.db"), "http://127.0.0.1:8000/.well-known/mercure").expect("a page");
        assert!(page.index.contains("content=\"a&quot;&lt;&amp;.db\""));
        assert!(!page.index.contains("{{"));
    }

    #[test]
    fn the_policy_lets_the_page_reach_a_hub_of_another_origin() {
        assert!(
            policy("https://hub.example.com/.well-known/mercure").contains("'self' https://hub.example.com;")
        );
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        let page = Page::new(None, "http://127.0.0.1:8000/.well-known/mercure").expect("a page");
        let first = file(HTML, "text", &page, &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[header::ETAG].clone();
        let again = file(HTML, "text", &page, &HeaderMap::from_iter([(header::IF_NONE_MATCH, tag.clone())]));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let changed = file(HTML, "other", &page, &HeaderMap::from_iter([(header::IF_NONE_MATCH, tag)]));
        assert_eq!(changed.status(), StatusCode::OK);
    }
}
