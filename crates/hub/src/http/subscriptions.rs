//! The web API of active subscriptions (ACT.4).

use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, request};
use petasos_protocol::compat::Generation;
use petasos_protocol::{TopicView, link};
use sha2::{Digest, Sha256};

use super::{HubBody, Problem, compat, cors};
use crate::activity::Asked;
use crate::hub::Hub;

impl Hub {
    /// Answers a request below the hub's own path.
    pub(crate) async fn subscriptions(&self, parts: &request::Parts) -> Result<Response<HubBody>, Problem> {
        let (inner, path) = (&self.inner, parts.uri.path());
        let nothing = || Problem::new(StatusCode::NOT_FOUND, format!("There is nothing at {path}."));
        let activity = inner.activity.as_ref().ok_or_else(nothing)?;
        // Earlier generations have other documents at some of the same paths; only a token tells them apart.
        let is_earlier = inner.policy.compat.selectors && compat::presents_earlier(&inner.policy, parts);
        let asked = Asked::parse(path, &inner.url, is_earlier).ok_or_else(nothing)?;
        match parts.method {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return Ok(cors::preflight(METHODS)),
            _ => return Err(Problem::method_not_allowed(&parts.method, METHODS)),
        }
        let token = inner.subscriber(parts, Generation::Current).await?;
        let token = token.ok_or_else(|| Problem::token_needed(&inner.url))?;
        if !token.may_subscribe(&TopicView::new(path, &inner.url)) {
            let detail = format!("The access token does not allow to subscribe to {path:?}.");
            return Err(Problem::insufficient_scope(&inner.url, detail));
        }
        // Read before the list: what happens in between is told twice rather than not at all.
        let cursor = inner.transport.bounds().newest_id;
        let cursor = cursor.as_ref().map_or("earliest", |id| id.as_str());
        let document = activity.document(path, &asked, cursor).ok_or_else(nothing)?;
        let body = serde_json::to_vec(&document).map_err(|error| {
            let detail = format!("The subscriptions cannot be written: {error}.");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
        })?;
        let media_type = if is_earlier { "application/ld+json" } else { "application/json" };
        let extra = [("last-event-id", cursor), ("type", "mercure"), ("content-type", media_type)];
        let link = link::format(inner.url.as_str(), "mercure", &extra);
        Ok(respond(&parts.headers, body, media_type, &link))
    }
}

fn respond(request: &HeaderMap, body: Vec<u8>, media_type: &'static str, link: &str) -> Response<HubBody> {
    let tag = Sha256::digest(&body).iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>();
    let tag = format!("\"{tag}\"");
    let known = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    // RFC 9110 section 13.1.2: the comparison is weak.
    let mut known = known.flat_map(|value| value.split(',')).map(str::trim);
    let fresh = known.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag);
    let mut response = Response::new(if fresh { HubBody::empty() } else { HubBody::full(body) });
    if fresh {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, must-revalidate, max-age=0"));
    for (name, value) in [(ETAG, tag.as_str()), (LINK, link)] {
        // Neither holds what a header may not: ids have no control characters.
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            headers.insert(name, value);
        }
    }
    response
}

const METHODS: &str = "GET, HEAD, OPTIONS";
