//! How requests of earlier generations present their tokens, and how they are refused where a generation is off.

use http::header::AUTHORIZATION;
use http::{StatusCode, Uri, request};
use petasos_protocol::HubUrl;
use petasos_protocol::compat::{Generation, PublishRefusal, is_earlier_token};
use url::form_urlencoded;

use super::Problem;
use crate::auth::{Presented, cookie, present};
use crate::builder::Policy;

/// The token that stood in the query component.
#[derive(Clone)]
struct QueryToken(String);

/// Takes the `authorization` parameter out of the URL. It is kept where only [`presented`] finds it.
pub(crate) fn take_query_token(parts: &mut request::Parts) {
    let Some(query) = parts.uri.query() else { return };
    let is_token = |pair: &str| {
        let name = form_urlencoded::parse(pair.as_bytes()).next();
        name.is_some_and(|(name, _)| name == "authorization")
    };
    let (tokens, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| is_token(pair));
    if tokens.is_empty() {
        return;
    }
    let value = form_urlencoded::parse(tokens[0].as_bytes()).next().map(|(_, value)| value.into_owned());
    let path = format!("{}?{}", parts.uri.path(), rest.join("&"));
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    // Part of a URL that was one is one.
    uri.path_and_query = path.parse().ok();
    parts.uri = Uri::from_parts(uri).unwrap_or_default();
    if let Some(value) = value {
        parts.extensions.insert(QueryToken(value));
    }
}

/// The token of a request: in the header, in the query component, in the cookie, in the earlier generations' cookie. What is
/// no token of an earlier generation is overlooked where only those may be.
pub(crate) fn presented(policy: &Policy, parts: &request::Parts) -> Presented {
    let current = present(&parts.headers, &policy.cookie_name);
    if parts.headers.contains_key(AUTHORIZATION) {
        return current;
    }
    if policy.compat.selectors
        && let Some(token) = query_token(parts)
    {
        return Presented::Query(token.to_owned());
    }
    match current {
        Presented::Nothing if policy.compat.any() => {
            earlier_cookie(parts).map_or(Presented::Nothing, Presented::Cookie)
        }
        current => current,
    }
}

/// Whether the token of a request is one of an earlier generation that the hub serves.
pub(crate) fn presents_earlier(policy: &Policy, parts: &request::Parts) -> bool {
    match presented(policy, parts) {
        Presented::Bearer(token) | Presented::Cookie(token) | Presented::Query(token) => {
            policy.compat.any() && is_earlier_token(&token)
        }
        Presented::Nothing | Presented::Malformed(_) => false,
    }
}

/// What to tell a request without a token that presents one in an earlier way, which is off. A cookie is sent whether a page
/// wants it or not, so it only counts if the request is of an earlier generation otherwise too, or is refused anyway.
pub(crate) fn overlooked(
    hub: &HubUrl,
    parts: &request::Parts,
    generation: Generation,
    needed: bool,
) -> Option<Problem> {
    let (place, options) = if query_token(parts).is_some() {
        ("query parameter \"authorization\"", "--compat selectors")
    } else if (needed || generation != Generation::Current) && earlier_cookie(parts).is_some() {
        ("cookie \"mercureAuthorization\"", EITHER)
    } else {
        return None;
    };
    Some(
        Problem::token_needed(hub)
            .because(format!("This hub reads a token from the {place} with {options} only.")),
    )
}

/// What to tell a token of an earlier generation where none is on.
pub(crate) fn token_off(hub: &HubUrl) -> Problem {
    let detail = format!(
        "The access token is one of an earlier generation of the protocol, with a \"mercure\" claim: this hub takes it with \
         {EITHER} only."
    );
    Problem::invalid_token(hub).because(detail)
}

pub(crate) fn refused(hub: &HubUrl, refusal: &PublishRefusal) -> Problem {
    let detail = refusal.to_string();
    match refusal {
        PublishRefusal::Forbidden(_) => Problem::insufficient_scope(hub, detail),
        PublishRefusal::TooManyTargets { .. } => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail),
        _ => Problem::new(StatusCode::BAD_REQUEST, detail),
    }
}

fn query_token(parts: &request::Parts) -> Option<&str> {
    let QueryToken(token) = parts.extensions.get()?;
    is_earlier_token(token).then_some(token)
}

fn earlier_cookie(parts: &request::Parts) -> Option<String> {
    cookie(&parts.headers, "mercureAuthorization").filter(|token| is_earlier_token(token))
}

const EITHER: &str = "--compat selectors or --compat targets";

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn the_token_leaves_the_url_however_it_is_spelt() {
        for (url, left) in [
            ("/hub?topic=a&authorization=secret&topic=b", "/hub?topic=a&topic=b"),
            ("/hub?authorization=secret", "/hub?"),
            ("https://example.com/hub?%61uthorization=secret&x", "https://example.com/hub?x"),
            ("/hub?a=1&authorization=secret&authorization=secret", "/hub?a=1"),
            ("/hub?Authorization=x&topic=authorization", "/hub?Authorization=x&topic=authorization"),
            ("/hub", "/hub"),
        ] {
            let (mut parts, ()) = Request::get(url).body(()).unwrap().into_parts();
            take_query_token(&mut parts);
            assert_eq!(parts.uri, *left, "{url}");
            let token = parts.extensions.get::<QueryToken>().map(|token| token.0.as_str());
            assert_eq!(token, url.contains("secret").then_some("secret"), "{url}");
            assert!(!format!("{parts:?}").contains("secret"), "{parts:?}");
        }
    }
}
