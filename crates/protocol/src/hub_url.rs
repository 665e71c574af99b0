//! The URL of a hub, to which relative patterns and topics are relative.

use std::sync::Arc;

use url::Url;

use crate::text;

/// An absolute http(s) URL without query or fragment. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubUrl(Arc<Url>);

impl HubUrl {
    /// Where a hub is, by default.
    pub const DEFAULT_PATH: &str = "/.well-known/mercure";

    /// Reads the URL of a hub.
    ///
    /// # Errors
    /// [`HubUrlError`] if it is not absolute, not http(s), or has a query, a fragment or credentials.
    pub fn parse(url: &str) -> Result<Self, HubUrlError> {
        let parsed = Url::parse(url).map_err(|error| HubUrlError::new(url, error.to_string()))?;
        let wrong = match &parsed {
            other if !matches!(other.scheme(), "http" | "https") => "its scheme is neither http nor https",
            other if other.query().is_some() => "it has a query",
            other if other.fragment().is_some() => "it has a fragment",
            other if !other.username().is_empty() || other.password().is_some() => "it holds credentials",
            _ => return Ok(Self(Arc::new(parsed))),
        };
        Err(HubUrlError::new(url, wrong.to_owned()))
    }

    /// The URL as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// Its origin, as a browser writes it.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Resolves a URL reference against the hub's URL (SUB.5).
    #[must_use]
    pub fn resolve(&self, reference: &str) -> Option<Url> {
        self.0.join(reference).ok()
    }

    /// Whether a topic lies in the hub's own namespace, whatever its spelling, scheme and authority (PUB.3).
    #[must_use]
    pub fn reserves(&self, topic: &str) -> bool {
        // The parser has removed dot segments before and after: a percent-encoded dot is one to it too.
        let Some(url) = self.resolve(topic) else { return false };
        let (path, own) = (decode_unreserved(url.path()), decode_unreserved(self.path()));
        path.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

/// Decodes percent-encoded unreserved characters (RFC 3986 section 6.2.2.2) and leaves all others as they are.
fn decode_unreserved(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        decoded.push_str(&rest[..at]);
        let byte = rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let (text, length) = match byte.map(char::from) {
            Some(char) if char.is_ascii_alphanumeric() || "-._~".contains(char) => (char, 3),
            _ => ('%', 1),
        };
        decoded.push(text);
        rest = &rest[at + length..];
    }
    decoded + rest
}

/// Why a string is not the URL of a hub.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is not the URL of a hub: {reason}; an example is https://example.com/.well-known/mercure")]
pub struct HubUrlError {
    url: String,
    reason: String,
}

impl HubUrlError {
    fn new(url: &str, reason: String) -> Self {
        Self { url: text::shorten(url), reason }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pub_3_the_reserved_namespace_is_recognised_in_every_spelling() {
        let hub = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
        let reserved = [
            "/.well-known/mercure",
            "/.well-known/mercure/subscriptions/exact/x/y",
            "https://example.com/.well-known/mercure?x#y",
            "http://other.example:8080/.well-known/mercure/x",
            "/.well-known/%6Dercure",
            "/%2Ewell-known/%6d%65rcure/",
            "/a/../.well-known/mercure",
            "/a/%2e%2E/.well-known/./mercure",
            "mercure",
            "./mercure/x",
        ];
        for topic in reserved {
            assert!(hub.reserves(topic), "{topic}");
        }
        for topic in [
            "/.well-known/mercury",
            "/.well-known/mercure2",
            "/x/.well-known/mercure",
            "/.well-known%2Fmercure",
            "urn:x",
        ] {
            assert!(!hub.reserves(topic), "{topic}");
        }
    }

    /// One way to write a character of a path.
    fn spelling(char: char) -> impl Strategy<Value = String> {
        let code = u32::from(char);
        let slash = char == '/';
        prop_oneof![
            4 => Just(char.to_string()),
            // A slash is reserved: encoded, it is part of a segment's name.
            1 => Just(if slash { "/".to_owned() } else { format!("%{code:02x}") }),
            1 => Just(if slash { "\\".to_owned() } else { format!("%{code:02X}") }),
            1 => Just(if slash { "/./".to_owned() } else { char.to_string() }),
            1 => Just(if slash { "/x/%2e./".to_owned() } else { char.to_string() }),
        ]
    }

    proptest! {
        #[test]
        fn pub_3_no_spelling_of_the_reserved_path_gets_through(
            before in prop::sample::select(vec!["", "https://example.com", "HTTP://other.example:1", "//x", "ws://u:p@h"]),
            path in "/.well-known/mercure".chars().map(spelling).collect::<Vec<_>>(),
            after in prop::sample::select(vec!["", "/", "/subscriptions/exact/x/y", "?q", "#f", "/../mercure"]),
        ) {
            let hub = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
            let topic = format!("{before}{}{after}", path.concat());
            prop_assert!(hub.reserves(&topic), "{}", topic);
        }

        #[test]
        fn any_text_may_be_asked_about(topic in "\\PC{0,30}|[/.%2eE\\\\:@?#a]{0,20}", url in "\\PC{0,30}") {
            let hub = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
            // What a reserved topic resolves to is reserved, and nothing else is.
            let resolved = hub.resolve(&topic).map(|url| hub.reserves(url.as_str()));
            prop_assert_eq!(resolved.unwrap_or_default(), hub.reserves(&topic));
            drop(HubUrl::parse(&url));
        }
    }

    #[test]
    fn what_is_no_hub_url_is_refused_with_a_reason() {
        for (url, reason) in [
            ("example.com", "relative"),
            ("ftp://example.com/", "scheme"),
            ("https://example.com/?a", "query"),
            ("https://example.com/#a", "fragment"),
            ("https://user:pass@example.com/", "credentials"),
        ] {
            let error = HubUrl::parse(url).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
