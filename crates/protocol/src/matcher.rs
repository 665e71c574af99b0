//! What selects topics.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::compat::UriTemplate;
use crate::text::{self, ForbiddenChar};
use crate::topic::MAX_TOPIC;
use crate::{HubUrl, Pattern, PatternError, TopicView};

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MatchType {
    /// Byte for byte (SUB.4).
    Exact,
    /// As a URI Template (RFC 6570): only for clients of earlier generations, never by name.
    UriTemplate,
    /// As a WHATWG URL Pattern (SUB.5).
    UrlPattern,
}

impl MatchType {
    /// Its name in tokens and documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::UriTemplate => "uritemplate",
            Self::UrlPattern => "urlpattern",
        }
    }

    /// The type of this name; names are case-sensitive.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Exact, Self::UrlPattern].into_iter().find(|known| known.as_str() == name)
    }
}

impl fmt::Display for MatchType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Selects topics. Cheap to clone; equal if type and source are.
#[derive(Clone)]
pub struct Matcher(Arc<Inner>);

struct Inner {
    source: Box<str>,
    match_type: MatchType,
    kind: Kind,
}

enum Kind {
    Any,
    Exact,
    Pattern(Box<Pattern>),
    Template(Box<UriTemplate>),
}

/// What a matcher is, for whoever builds an index of many.
#[derive(Debug)]
pub enum MatcherKind<'a> {
    /// Matches every topic.
    Any,
    /// Matches this topic.
    Exact(&'a str),
    /// Matches what the pattern matches.
    Pattern(&'a Pattern),
    /// Matches what the template expands to, and its own text.
    Template(&'a UriTemplate),
}

impl Matcher {
    /// The matcher `*`, which matches every topic whatever its type says (SUB.3).
    #[must_use]
    pub fn any() -> Self {
        Self::of("*", MatchType::Exact, Kind::Any)
    }

    /// Matches one topic, byte for byte (SUB.4).
    ///
    /// # Errors
    /// [`MatcherError`] if the value holds a forbidden character or is too long.
    pub fn exact(value: &str) -> Result<Self, MatcherError> {
        check(value, MAX_TOPIC)?;
        Ok(if value == "*" { Self::any() } else { Self::of(value, MatchType::Exact, Kind::Exact) })
    }

    /// Matches the topics that a URL Pattern matches; a relative pattern is relative to the hub's URL (SUB.5).
    ///
    /// # Errors
    /// [`MatcherError`] if the value holds a forbidden character, is too long, or is no pattern.
    pub fn url_pattern(value: &str, hub: &HubUrl) -> Result<Self, MatcherError> {
        Self::new(MatchType::UrlPattern, value, hub)
    }

    /// A topic selector of earlier generations: `*`, a URI Template, which also matches the identical string, or any other
    /// string, which matches itself.
    ///
    /// # Errors
    /// [`MatcherError`] if the value holds a forbidden character, is too long, or has too many variables.
    pub fn selector(value: &str) -> Result<Self, MatcherError> {
        Self::selector_within(value, MAX_TOPIC)
    }

    fn selector_within(value: &str, max: usize) -> Result<Self, MatcherError> {
        check(value, max)?;
        if value == "*" {
            return Ok(Self::any());
        }
        let Some(template) = UriTemplate::parse(value) else {
            return Ok(Self::of(value, MatchType::Exact, Kind::Exact));
        };
        if template.variables() > MAX_VARIABLES {
            return Err(MatcherError::Variables { value: text::shorten(value) });
        }
        Ok(Self::of(value, MatchType::UriTemplate, Kind::Template(Box::new(template))))
    }

    /// A matcher of this type.
    ///
    /// # Errors
    /// As [`Matcher::exact`], [`Matcher::url_pattern`] and [`Matcher::selector`].
    pub fn new(match_type: MatchType, value: &str, hub: &HubUrl) -> Result<Self, MatcherError> {
        Self::within(match_type, value, hub, MAX_TOPIC)
    }

    /// A matcher of this type, whose value may be `max` bytes long instead of 2 KiB.
    ///
    /// # Errors
    /// As [`Matcher::exact`], [`Matcher::url_pattern`] and [`Matcher::selector`].
    pub fn within(
        match_type: MatchType,
        value: &str,
        hub: &HubUrl,
        max: usize,
    ) -> Result<Self, MatcherError> {
        check(value, max)?;
        if value == "*" {
            return Ok(Self::of(value, match_type, Kind::Any));
        }
        let kind = match match_type {
            MatchType::Exact => Kind::Exact,
            MatchType::UriTemplate => return Self::selector_within(value, max),
            MatchType::UrlPattern => {
                let pattern = Pattern::parse(value, hub)
                    .map_err(|error| MatcherError::Pattern { value: text::shorten(value), error })?;
                Kind::Pattern(Box::new(pattern))
            }
        };
        Ok(Self::of(value, match_type, kind))
    }

    /// The type that it was given; to `*` it makes no difference.
    #[must_use]
    pub fn match_type(&self) -> MatchType {
        self.0.match_type
    }

    /// What it was made of.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> MatcherKind<'_> {
        match &self.0.kind {
            Kind::Any => MatcherKind::Any,
            Kind::Exact => MatcherKind::Exact(&self.0.source),
            Kind::Pattern(pattern) => MatcherKind::Pattern(pattern),
            Kind::Template(template) => MatcherKind::Template(template),
        }
    }

    /// Whether it selects the topic.
    #[must_use]
    pub fn matches(&self, topic: &TopicView<'_>) -> bool {
        match &self.0.kind {
            Kind::Any => true,
            Kind::Exact => *self.0.source == *topic.as_str(),
            Kind::Pattern(pattern) => pattern.matches(topic),
            Kind::Template(template) => *self.0.source == *topic.as_str() || template.matches(topic.as_str()),
        }
    }

    fn of(source: &str, match_type: MatchType, kind: Kind) -> Self {
        Self(Arc::new(Inner { source: source.into(), match_type, kind }))
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?})", self.match_type(), self.source())
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.match_type() == other.match_type() && self.source() == other.source())
    }
}

impl Eq for Matcher {}

impl Hash for Matcher {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.match_type().hash(state);
        self.source().hash(state);
    }
}

/// Matching a text costs its length times the number of variables.
const MAX_VARIABLES: usize = 64;

fn check(value: &str, max: usize) -> Result<(), MatcherError> {
    if value.len() > max {
        return Err(MatcherError::TooLong { length: value.len(), max });
    }
    text::check(value).map_err(|forbidden| MatcherError::Character { value: text::shorten(value), forbidden })
}

/// Why a value is no matcher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MatcherError {
    /// It holds a forbidden character.
    #[error("the matcher {value:?} holds {forbidden}")]
    Character {
        /// The value, shortened.
        value: String,
        /// The character and its place.
        forbidden: ForbiddenChar,
    },
    /// It is too long.
    #[error("the matcher is {length} bytes long; {max} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// What is allowed.
        max: usize,
    },
    /// It is a URI Template with more variables than anyone needs: matching takes time for each.
    #[error("the matcher {value:?} has more than {MAX_VARIABLES} variables")]
    Variables {
        /// The value, shortened.
        value: String,
    },
    /// It is not a well-formed URL Pattern.
    #[error("the matcher {value:?} is no URL pattern: {error}")]
    Pattern {
        /// The value, shortened.
        value: String,
        /// What is wrong with it.
        error: PatternError,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hub() -> HubUrl {
        HubUrl::parse("https://example.com/.well-known/mercure").unwrap()
    }

    fn matches(matcher: &Matcher, topic: &str) -> bool {
        matcher.matches(&TopicView::new(topic, &hub()))
    }

    #[test]
    fn sub_3_a_star_matches_everything_whatever_the_type() {
        for matcher in
            [Matcher::exact("*").unwrap(), Matcher::url_pattern("*", &hub()).unwrap(), Matcher::any()]
        {
            assert!(matches!(matcher.kind(), MatcherKind::Any));
            assert!(matches(&matcher, "anything") && matches(&matcher, "http://[broken"));
        }
    }

    #[test]
    fn sub_4_exact_is_byte_for_byte() {
        let matcher = Matcher::exact("https://example.com/a%41").unwrap();
        assert!(matches(&matcher, "https://example.com/a%41"));
        for topic in
            ["https://example.com/aA", "https://EXAMPLE.com/a%41", "/a%41", "https://example.com/a%41/"]
        {
            assert!(!matches(&matcher, topic), "{topic}");
        }
    }

    proptest! {
        #[test]
        fn sub_4_exact_matchers_match_themselves_and_nothing_else(value in "\\PC{0,12}", topic in "\\PC{0,12}") {
            let Ok(matcher) = Matcher::exact(&value) else { return Ok(()) };
            prop_assert!(matches(&matcher, &value));
            prop_assert_eq!(matches(&matcher, &topic), value == "*" || value == topic);
        }

        #[test]
        fn sub_5_any_text_is_a_pattern_or_an_error(
            value in "[a-z/:*?+(){}\\[\\]\\\\.#@!<>|\\-0-9\u{e9}]{0,24}|\\PC{0,20}", topic in "\\PC{0,20}",
        ) {
            if let Ok(matcher) = Matcher::url_pattern(&value, &hub()) {
                let _: bool = matches(&matcher, &topic);
                prop_assert_eq!(matcher.source(), value.as_str());
            }
        }

        #[test]
        fn sub_5_a_group_matches_one_segment(segment in "[a-zA-Z0-9._~-]{1,10}", other in "[a-z]{1,5}") {
            let pattern = Matcher::url_pattern("https://example.com/books/:id", &hub()).unwrap();
            // Dots alone are not a name: they climb.
            prop_assume!(!segment.chars().all(|char| char == '.'));
            let topic = format!("https://example.com/books/{segment}");
            let inner = format!("{topic}/{other}");
            prop_assert!(matches(&pattern, &topic) && !matches(&pattern, &inner));
        }
    }

    #[test]
    fn equality_is_by_type_and_source() {
        let (exact, pattern) = (Matcher::exact("/a").unwrap(), Matcher::url_pattern("/a", &hub()).unwrap());
        assert_ne!(exact, pattern);
        assert_eq!(exact, Matcher::exact("/a").unwrap());
        assert_eq!(pattern, Matcher::url_pattern("/a", &hub()).unwrap());
    }
}
