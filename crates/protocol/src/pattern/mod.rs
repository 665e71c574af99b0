//! URL patterns as the WHATWG standard describes them (SUB.5).
//!
//! The `urlpattern` crate parses; what it built is reduced to the components that say anything, and the matching is our own
//! walk over them: a pattern costs hundreds of bytes instead of tens of kilobytes and a match tens of nanoseconds, because
//! regular expressions are compiled only where a component needs one, on its first use. Matching is linear in the topic:
//! the regular expressions are automata without back-references.

use std::fmt;

use urlpattern::{UrlPattern, UrlPatternInit, UrlPatternOptions};

mod component;
use component::Component;
mod parts;
pub(crate) use parts::Parts;
mod regexp;
use regexp::Source;

use crate::{HubUrl, TopicView};

/// A compiled URL pattern.
pub struct Pattern {
    /// Only those components that do not match everything, with their place in [`Parts::components`].
    components: Box<[(u8, Component)]>,
    prefix: Option<Box<str>>,
}

impl Pattern {
    /// Parses a pattern; a relative one is relative to the hub's URL.
    ///
    /// # Errors
    /// [`PatternError`] if it is not well formed.
    pub fn parse(pattern: &str, hub: &HubUrl) -> Result<Self, PatternError> {
        // The parser is fuzzed, and nothing is known to make it panic but overflow checks in debug builds (an unbalanced
        // `]` in a host); a pattern comes from a stranger, so nothing it does may end more than the pattern.
        std::panic::catch_unwind(|| Self::parse_unguarded(pattern, hub))
            .unwrap_or_else(|_| Err(PatternError("the parser cannot cope with it".to_owned())))
    }

    fn parse_unguarded(pattern: &str, hub: &HubUrl) -> Result<Self, PatternError> {
        // The base is for relative patterns only: with one, the path of `urn\:book\:*` would be made absolute.
        let init = match UrlPatternInit::parse_constructor_string::<Source>(pattern, None) {
            Err(urlpattern::Error::BaseUrlRequired) => {
                UrlPatternInit::parse_constructor_string::<Source>(pattern, Some(hub.url().clone()))
            }
            absolute => absolute,
        };
        Self::compile(init.map_err(|error| PatternError::new(&error))?)
    }

    /// Whether it matches a topic. A topic that is no URL reference matches no pattern.
    #[must_use]
    pub fn matches(&self, topic: &TopicView<'_>) -> bool {
        topic.parts().is_some_and(|parts| self.matches_components(&parts.components()))
    }

    /// What the [`TopicView::index_key`] of every matching topic begins with, if the pattern begins literally.
    #[must_use]
    pub fn literal_prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    fn compile(init: UrlPatternInit) -> Result<Self, PatternError> {
        // `ignoreCase` is never on: it is not part of the protocol, and the parser does not implement it.
        let parsed = UrlPattern::<Source>::parse(init, UrlPatternOptions::default())
            .map_err(|error| PatternError::new(&error))?;
        let matchers = [
            parsed.protocol.matcher,
            parsed.username.matcher,
            parsed.password.matcher,
            parsed.hostname.matcher,
            parsed.port.matcher,
            parsed.pathname.matcher,
            parsed.search.matcher,
            parsed.hash.matcher,
        ];
        let mut components = Vec::new();
        for (place, matcher) in (0u8..).zip(matchers) {
            let component = Component::reduce(matcher)?;
            if !component.matches_everything() {
                components.push((place, component));
            }
        }
        let prefix = prefix(&components).map(Into::into);
        Ok(Self { components: components.into(), prefix })
    }

    fn matches_components(&self, parts: &[&str; 8]) -> bool {
        self.components.iter().all(|(place, component)| component.matches(parts[usize::from(*place)]))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Puts the literal beginning of a serialised URL together. Credentials do not count: [`TopicView::index_key`] has none.
fn prefix(components: &[(u8, Component)]) -> Option<String> {
    let at = |place: u8| components.iter().find(|(other, _)| *other == place).map(|(_, component)| component);
    let scheme = at(PROTOCOL)?.literal()?;
    if !matches!(scheme.as_str(), "http" | "https" | "ws" | "wss" | "ftp") {
        return Some(format!("{scheme}:"));
    }
    let mut prefix = format!("{scheme}://{}", at(HOSTNAME)?.literal()?);
    let Some(port) = at(PORT).and_then(Component::literal) else { return Some(prefix) };
    if !port.is_empty() {
        prefix.push(':');
        prefix.push_str(&port);
    }
    // A path begins with a slash, so a host or a port that merely begins like this one does not pass.
    match at(PATHNAME) {
        Some(path) => prefix.push_str(path.prefix()),
        None => prefix.push('/'),
    }
    Some(prefix)
}

const PROTOCOL: u8 = 0;
const HOSTNAME: u8 = 3;
const PORT: u8 = 4;
const PATHNAME: u8 = 5;

/// Why a string is no URL pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

impl PatternError {
    fn new(error: &urlpattern::Error) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::Value;
    use urlpattern::quirks::{self, StringOrInit};

    use super::*;

    fn hub() -> HubUrl {
        HubUrl::parse("https://example.com/hub").unwrap()
    }

    fn matches(pattern: &str, topic: &str) -> bool {
        Pattern::parse(pattern, &hub()).unwrap().matches(&TopicView::new(topic, &hub()))
    }

    #[test]
    fn sub_5_relative_patterns_and_topics_are_relative_to_the_hub() {
        assert!(matches("/books/:id", "https://example.com/books/1"));
        assert!(matches("https://example.com/books/:id", "/books/1"));
        assert!(matches("books/:id", "/books/1"));
        assert!(!matches("/books/:id", "https://other.example/books/1"));
        assert!(!matches("/books/:id", "/books/1/reviews"));
        assert!(!matches("/Books/:id", "/books/1"));
        assert!(matches("/books/(\\d+)", "/books/12") && !matches("/books/(\\d+)", "/books/x"));
        assert!(!matches("https://*/*", "https://["), "no URL reference");
        // An unescaped `:book` would be a named group.
        assert!(matches("urn\\:book\\:*", "urn:book:1") && !matches("urn\\:book\\:*", "urn:author:1"));
        assert!(matches("/a?x=:y", "/a?x=1") && !matches("/a?x=:y", "/a?z=1"));
    }

    #[test]
    fn sub_2_a_malformed_pattern_is_an_error() {
        for pattern in ["https://[", "https://a]b/", "/(", "/:a/:a", "/(?<x>a)", "/{a"] {
            assert!(Pattern::parse(pattern, &hub()).is_err(), "{pattern}");
        }
    }

    #[test]
    fn sub_5_matching_takes_time_in_proportion_to_the_topic() {
        // Each of these takes a backtracking engine longer than the age of the world on such a topic.
        let topic = format!("https://example.com/{}!", "a".repeat(2000));
        for pattern in
            ["/((?:a+)+)b", "/((?:a|aa|a)+)b", "/((?:[a-z]*)*[0-9])", "/((?:a*)*(?:a*)*b)", "/(.*.*.*.*.*b)"]
        {
            assert!(!matches(pattern, &topic), "{pattern}");
        }
        assert!(matches("/((?:a+)+)!", &topic));
    }

    #[test]
    fn the_literal_prefix_is_as_long_as_it_may_be() {
        let prefix =
            |pattern: &str| Pattern::parse(pattern, &hub()).unwrap().literal_prefix().map(str::to_owned);
        assert_eq!(prefix("/books/:id").as_deref(), Some("https://example.com/books/"));
        assert_eq!(prefix("https://a.example:8080/x/*.js").as_deref(), Some("https://a.example:8080/x/"));
        assert_eq!(prefix("https://a.example/*").as_deref(), Some("https://a.example/"));
        assert_eq!(prefix("https://*.example/x"), None);
        assert_eq!(prefix("urn\\:book\\:*").as_deref(), Some("urn:"));
        assert_eq!(prefix("http{s}?://example.com/x"), None);
    }

    #[test]
    fn a_pattern_is_small() {
        assert!(size_of::<Component>() <= 64, "{}", size_of::<Component>());
        assert!(Pattern::parse("https://example.com/books/:id", &hub()).unwrap().components.len() <= 6);
    }

    fn segment() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(":x".to_owned()),
            Just("*".to_owned()),
            Just("(a+)".to_owned()),
            Just("{b}?".to_owned()),
            "[ab.]{0,3}"
        ]
    }

    proptest! {
        #[test]
        fn every_matching_topic_begins_with_the_literal_prefix(
            scheme in prop_oneof![Just("https"), Just("http"), Just("http{s}?"), Just("*"), Just("urn")],
            host in prop_oneof![Just("a.b"), Just("*.b"), Just("a.:x"), Just("a.b:8080"), Just("a.b:*")],
            path in prop::collection::vec(segment(), 0..4),
            topic_scheme in prop_oneof![Just("https"), Just("http"), Just("urn")],
            topic_host in prop_oneof![Just("a.b"), Just("u:p@a.b"), Just("x.b"), Just("a.b:8080"), Just("a.bb")],
            topic_path in prop::collection::vec("[ab.]{0,3}", 0..4),
        ) {
            let Ok(pattern) = Pattern::parse(&format!("{scheme}://{host}/{}", path.join("/")), &hub()) else { return Ok(()) };
            let topic = format!("{topic_scheme}://{topic_host}/{}", topic_path.join("/"));
            let hub = hub();
            let view = TopicView::new(&topic, &hub);
            if let Some(prefix) = pattern.literal_prefix().filter(|_| pattern.matches(&view)) {
                let key = view.index_key().unwrap();
                prop_assert!(key.starts_with(prefix), "{key} does not begin with {prefix}");
            }
        }
    }

    #[derive(Deserialize)]
    struct Case<'a> {
        #[serde(borrow)]
        pattern: Vec<StringOrInit<'a>>,
        #[serde(borrow, default)]
        inputs: Vec<StringOrInit<'a>>,
    }

    /// One case of the web-platform tests; `None` if it is one of the exceptions: those with options. The only option is
    /// `ignoreCase`, which hubs must not turn on, so it cannot be asked for here.
    fn passes(case: &Value) -> Option<bool> {
        let text = case.to_string();
        let parsed: Case<'_> = serde_json::from_str(&text).unwrap();
        let mut pattern = parsed.pattern.into_iter();
        let first = pattern.next().unwrap_or(StringOrInit::Init(quirks::UrlPatternInit::default()));
        let base = match pattern.next() {
            Some(StringOrInit::String(base)) => Some(base.into_owned()),
            Some(StringOrInit::Init(_)) => return None,
            None => None,
        };
        if pattern.next().is_some() {
            return None;
        }
        let init = quirks::process_construct_pattern_input(first, base.as_deref());
        let compiled = init.map_err(|error| PatternError::new(&error)).and_then(Pattern::compile);
        if case["expected_obj"] == "error" {
            return Some(compiled.is_err());
        }
        let Ok(compiled) = compiled else { return Some(false) };
        let mut inputs = parsed.inputs.into_iter();
        let input = inputs.next().unwrap_or(StringOrInit::Init(quirks::UrlPatternInit::default()));
        let base = match inputs.next() {
            Some(StringOrInit::String(base)) => Some(base.into_owned()),
            _ => None,
        };
        let components = quirks::process_match_input(input, base.as_deref())
            .ok()
            .flatten()
            .and_then(|(input, _)| quirks::parse_match_input(input));
        let matched = components.is_some_and(|input| {
            compiled.matches_components(&[
                &input.protocol,
                &input.username,
                &input.password,
                &input.hostname,
                &input.port,
                &input.pathname,
                &input.search,
                &input.hash,
            ])
        });
        Some(matched == case["expected_match"].is_object())
    }

    #[test]
    fn sub_5_the_web_platform_tests_pass() {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/data/urlpatterntestdata.json")).unwrap();
        let mut exceptions = Vec::new();
        for case in &cases {
            match passes(case) {
                Some(passed) => assert!(passed, "{case}"),
                None => exceptions.push(case),
            }
        }
        assert_eq!((cases.len(), exceptions.len()), (352, 4));
        assert!(exceptions.iter().all(|case| case["pattern"].to_string().contains("ignoreCase")));
    }
}
