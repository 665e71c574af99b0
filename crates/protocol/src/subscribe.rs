//! What a subscription asks for (SUB.1 to SUB.3, SUB.6, SUB.7).

use std::collections::HashSet;

use crate::form::{self, FormError};
use crate::text;
use crate::topic::MAX_TOPIC;
use crate::{HubUrl, MatchType, Matcher, MatcherError};

/// How large a subscription may be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscribeLimits {
    /// Number of different matchers of one subscription.
    pub max_matchers: usize,
    /// Bytes of each matcher.
    pub max_matcher: usize,
}

impl Default for SubscribeLimits {
    fn default() -> Self {
        Self { max_matchers: 1000, max_matcher: MAX_TOPIC }
    }
}

/// Where a reconnecting client left off (REC).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// Before everything.
    Earliest,
    /// After the event with this id.
    After(String),
}

impl Cursor {
    /// Reads a `Last-Event-ID`; an empty one is none.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        match value {
            "" => None,
            "earliest" => Some(Self::Earliest),
            id => Some(Self::After(id.to_owned())),
        }
    }

    /// The cursor as a `Last-Event-ID`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Earliest => "earliest",
            Self::After(id) => id,
        }
    }
}

/// A subscription as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscribe {
    /// What it selects: at least one matcher, each once, in the order of the request.
    pub matchers: Vec<Matcher>,
    /// Where it begins, as far as parameters say.
    pub cursor: Option<Cursor>,
}

/// Reads a subscription from the query component of the request and, for `QUERY`, from its body (SUB.6).
///
/// # Errors
/// [`SubscribeError`] says which parameter is wrong.
pub fn parse_subscribe(
    query: Option<&str>,
    body: Option<&[u8]>,
    hub: &HubUrl,
    limits: &SubscribeLimits,
) -> Result<Subscribe, SubscribeError> {
    let mut fields = form::parse(query.unwrap_or_default().as_bytes())?;
    fields.extend(form::parse(body.unwrap_or_default())?);
    let (mut seen, mut distinct) = (HashSet::new(), HashSet::new());
    let mut subscribe = Subscribe { matchers: Vec::new(), cursor: None };
    for (name, value) in &fields {
        if name == "last_event_id" {
            // The first one counts: the query component stands before the body.
            subscribe.cursor = subscribe.cursor.or_else(|| Cursor::parse(value));
            continue;
        }
        // Clients repeat their topics with every reconnection; a repeated value is not compiled again.
        if !seen.insert((name, value)) {
            continue;
        }
        for matcher in matchers(name, value, hub, limits.max_matcher)? {
            // `match` and `match_exact` are two spellings of one matcher.
            if !distinct.insert(matcher.clone()) {
                continue;
            }
            if subscribe.matchers.len() == limits.max_matchers {
                return Err(SubscribeError::TooMany { max: limits.max_matchers });
            }
            subscribe.matchers.push(matcher);
        }
    }
    if subscribe.matchers.is_empty() {
        return Err(SubscribeError::NoMatcher);
    }
    check_cursor(subscribe)
}

fn check_cursor(subscribe: Subscribe) -> Result<Subscribe, SubscribeError> {
    if let Some(Cursor::After(id)) = &subscribe.cursor {
        text::check(id).map_err(|forbidden| SubscribeError::Cursor(forbidden.to_string()))?;
    }
    Ok(subscribe)
}

fn matchers(name: &str, value: &str, hub: &HubUrl, max: usize) -> Result<Vec<Matcher>, SubscribeError> {
    let matcher = |match_type| Matcher::within(match_type, value, hub, max).map(|matcher| vec![matcher]);
    let result = match name {
        "match" | "match_exact" => matcher(MatchType::Exact),
        "match_urlpattern" => matcher(MatchType::UrlPattern),
        "topic" => earlier_selector(value, hub, max),
        _ if is_match_name(name) => return Err(SubscribeError::Name(text::shorten(name))),
        _ => return Ok(Vec::new()),
    };
    result.map_err(|error| SubscribeError::Matcher { name: name.to_owned(), error })
}

/// Any other name that begins with `match` is a mistake, and ignoring it would widen or narrow a subscription (SUB.1).
fn is_match_name(name: &str) -> bool {
    name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("match"))
}

/// The `topic` parameter of earlier hubs selects and grants nothing, so it is always accepted: `*`, a string, or a URI
/// template, which also matches the identical string. Simple variables become named groups; a template that uses more of
/// RFC 6570 than that matches literally.
fn earlier_selector(value: &str, hub: &HubUrl, max: usize) -> Result<Vec<Matcher>, MatcherError> {
    let mut matchers = vec![Matcher::within(MatchType::Exact, value, hub, max)?];
    if let Some(pattern) = template_as_pattern(value) {
        matchers.extend(Matcher::within(MatchType::UrlPattern, &pattern, hub, max));
    }
    Ok(matchers)
}

fn template_as_pattern(template: &str) -> Option<String> {
    let mut pattern = String::with_capacity(template.len());
    let (mut rest, mut number) = (template, 0);
    while let Some(open) = rest.find('{') {
        let close = open + rest[open..].find('}')?;
        let name = &rest[open + 1..close];
        if name.is_empty() || !name.chars().all(|char| char.is_ascii_alphanumeric() || "_.".contains(char)) {
            return None;
        }
        escape(&rest[..open], &mut pattern);
        // Without a name of its own each group would have to be unique, and variables may be repeated.
        pattern.push_str(&format!("{{:v{number}}}"));
        number += 1;
        rest = &rest[close + 1..];
    }
    escape(rest, &mut pattern);
    (number > 0).then_some(pattern)
}

/// Escapes what means something in a pattern. A colon before `//` or a digit ends a scheme or a host there too.
fn escape(literal: &str, pattern: &mut String) {
    for (at, char) in literal.char_indices() {
        let rest = &literal[at + char.len_utf8()..];
        let named =
            char == ':' && !rest.starts_with("//") && !rest.starts_with(|next: char| next.is_ascii_digit());
        if named || "*?+(){}\\".contains(char) {
            pattern.push('\\');
        }
        pattern.push(char);
    }
}

/// What is wrong with a subscription.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// A parameter is not UTF-8.
    #[error("The parameters are malformed: {0}.")]
    Form(String),
    /// There is no matcher.
    #[error(
        "The subscription selects nothing: give at least one of the parameters \"match\", \"match_exact\" and \
         \"match_urlpattern\"; \"match=*\" selects everything."
    )]
    NoMatcher,
    /// There are more matchers than allowed.
    #[error("The subscription has more than {max} matchers.")]
    TooMany {
        /// How many may be.
        max: usize,
    },
    /// A parameter looks like a matcher and is none.
    #[error(
        "The parameter {0:?} is unknown; matchers are \"match\", \"match_exact\" and \"match_urlpattern\"."
    )]
    Name(String),
    /// A matcher is invalid.
    #[error("The parameter {name:?} is invalid: {error}.")]
    Matcher {
        /// Name of the parameter.
        name: String,
        /// What is wrong with it.
        error: MatcherError,
    },
    /// The cursor holds a forbidden character.
    #[error("The parameter \"last_event_id\" holds {0}.")]
    Cursor(String),
}

impl From<FormError> for SubscribeError {
    fn from(error: FormError) -> Self {
        Self::Form(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::TopicView;

    fn hub() -> HubUrl {
        HubUrl::parse("https://example.com/.well-known/mercure").unwrap()
    }

    fn parse(query: &str) -> Result<Subscribe, SubscribeError> {
        parse_subscribe(Some(query), None, &hub(), &SubscribeLimits::default())
    }

    #[test]
    fn sub_1_matchers_are_read_in_order_and_identical_ones_merged() {
        let subscribe =
            parse("match=a&match_exact=b&match_urlpattern=/c/:x&match=a&match_exact=a&other=1").unwrap();
        let sources: Vec<&str> = subscribe.matchers.iter().map(Matcher::source).collect();
        assert_eq!(sources, ["a", "b", "/c/:x"]);
    }

    #[test]
    fn sub_1_unknown_names_and_nothing_at_all_are_errors() {
        assert_eq!(parse(""), Err(SubscribeError::NoMatcher));
        assert_eq!(parse("foo=1"), Err(SubscribeError::NoMatcher));
        for name in ["Match", "match_", "matchX", "MATCH_EXACT", "match_regexp"] {
            assert_eq!(parse(&format!("match=a&{name}=b")), Err(SubscribeError::Name(name.to_owned())));
        }
        assert!(parse("match=a&mat=b&rematch=c").is_ok());
    }

    #[test]
    fn sub_7_the_number_of_different_matchers_is_limited() {
        let query =
            |count: usize| (0..count).map(|number| format!("match={number}")).collect::<Vec<_>>().join("&");
        assert_eq!(parse(&query(1000)).unwrap().matchers.len(), 1000);
        assert_eq!(parse(&query(1001)), Err(SubscribeError::TooMany { max: 1000 }));
        assert!(parse(&vec!["match=a"; 5000].join("&")).is_ok());
    }

    #[test]
    fn sub_6_the_query_component_wins_over_the_body() {
        let both = parse_subscribe(
            Some("match=a&last_event_id=q"),
            Some(b"match=b&last_event_id=b"),
            &hub(),
            &SubscribeLimits::default(),
        );
        let both = both.unwrap();
        assert_eq!(both.cursor, Some(Cursor::After("q".to_owned())));
        assert_eq!(both.matchers.len(), 2);
        assert_eq!(parse("match=a&last_event_id=earliest").unwrap().cursor, Some(Cursor::Earliest));
        assert_eq!(parse("match=a&last_event_id=").unwrap().cursor, None);
        assert!(parse("match=a&last_event_id=%0a").is_err());
    }

    #[test]
    fn the_earlier_topic_parameter_selects_by_string_and_by_template() {
        let matches = |selector: &str, topic: &str| {
            let matchers = parse(&format!("topic={selector}")).unwrap().matchers;
            matchers.iter().any(|matcher| matcher.matches(&TopicView::new(topic, &hub())))
        };
        assert!(matches("*", "anything"));
        assert!(matches("https://example.com/books/1", "https://example.com/books/1"));
        assert!(matches("https://example.com/books/{id}", "https://example.com/books/1"));
        assert!(matches("https://example.com/books/{id}", "https://example.com/books/{id}"));
        assert!(matches("https://example.com/{a}/x/{a}.json", "https://example.com/1/x/2.json"));
        assert!(!matches("https://example.com/books/{id}", "https://example.com/books/1/reviews"));
        assert!(!matches("https://example.com/books/{%2Bid}", "https://example.com/books/1"));
        assert!(matches("https://example.com:8080/books/{id}", "https://example.com:8080/books/1"));
        assert!(matches("urn:book:{id}", "urn:book:1") && !matches("urn:book:{id}", "urn:author:1"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(query in "(match|match_urlpattern|topic|last_event_id)=\\PC{0,40}") {
            drop(parse(&query));
        }

        #[test]
        fn sub_1_and_6_what_is_asked_for_is_the_union_of_query_and_body(
            query in prop::collection::vec("[a-zA-Z0-9/:.&=+;%#\u{e9} ]{0,10}", 0..5),
            body in prop::collection::vec("[a-zA-Z0-9/:.&=+;%#\u{e9} ]{0,10}", 0..5),
        ) {
            prop_assume!(!query.is_empty() || !body.is_empty());
            let written = |values: &[String]| {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(values.iter().map(|value| ("match", value))).finish()
            };
            let limits = SubscribeLimits::default();
            let parsed = parse_subscribe(Some(&written(&query)), Some(written(&body).as_bytes()), &hub(), &limits).unwrap();
            let mut expected: Vec<String> = Vec::new();
            for value in query.into_iter().chain(body) {
                if !expected.contains(&value) {
                    expected.push(value);
                }
            }
            let sources: Vec<&str> = parsed.matchers.iter().map(Matcher::source).collect();
            prop_assert_eq!(sources, expected);
        }
    }
}
