//! What a subscription asks for (SUB.1 to SUB.3, SUB.6, SUB.7).

use std::collections::HashSet;

use crate::compat::Generation;
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
    /// The generation of the protocol that it is written in.
    pub generation: Generation,
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
    let mut subscribe = Subscribe { matchers: Vec::new(), cursor: None, generation: Generation::Current };
    // Earlier names of the cursor mean nothing in a subscription of today.
    let mut earlier_cursor = None;
    for (name, value) in &fields {
        match name.as_str() {
            // The first one counts: the query component stands before the body.
            "last_event_id" => {
                subscribe.cursor = subscribe.cursor.or_else(|| Cursor::parse(value));
                continue;
            }
            "Last-Event-ID" | "lastEventID" => {
                earlier_cursor = earlier_cursor.or_else(|| Cursor::parse(value));
                continue;
            }
            // It selects and grants nothing, so it is always accepted: existing clients send it.
            "topic" => subscribe.generation = Generation::Selectors,
            _ => {}
        }
        // Clients repeat their topics with every reconnection; a repeated value is not compiled again.
        if !seen.insert((name, value)) {
            continue;
        }
        let Some(matcher) = matcher(name, value, hub, limits.max_matcher)? else { continue };
        // `match` and `match_exact` are two spellings of one matcher.
        if !distinct.insert(matcher.clone()) {
            continue;
        }
        if subscribe.matchers.len() == limits.max_matchers {
            return Err(SubscribeError::TooMany { max: limits.max_matchers });
        }
        subscribe.matchers.push(matcher);
    }
    if subscribe.matchers.is_empty() {
        return Err(SubscribeError::NoMatcher);
    }
    if subscribe.generation == Generation::Selectors {
        subscribe.cursor = subscribe.cursor.or(earlier_cursor);
    }
    check_cursor(subscribe)
}

fn check_cursor(subscribe: Subscribe) -> Result<Subscribe, SubscribeError> {
    if let Some(Cursor::After(id)) = &subscribe.cursor {
        text::check(id).map_err(|forbidden| SubscribeError::Cursor(forbidden.to_string()))?;
    }
    Ok(subscribe)
}

fn matcher(name: &str, value: &str, hub: &HubUrl, max: usize) -> Result<Option<Matcher>, SubscribeError> {
    let matcher = |match_type| Matcher::within(match_type, value, hub, max);
    let result = match name {
        "match" | "match_exact" => matcher(MatchType::Exact),
        "match_urlpattern" => matcher(MatchType::UrlPattern),
        "topic" => matcher(MatchType::UriTemplate),
        _ if is_match_name(name) => return Err(SubscribeError::Name(text::shorten(name))),
        _ => return Ok(None),
    };
    result.map(Some).map_err(|error| SubscribeError::Matcher { name: name.to_owned(), error })
}

/// Any other name that begins with `match` is a mistake, and ignoring it would widen or narrow a subscription (SUB.1).
fn is_match_name(name: &str) -> bool {
    name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("match"))
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
        assert!(matches("/books{?x}", "/books?x=1") && !matches("/books{?x}", "/books?y=1"));
        assert!(matches("https://example.com/{a}/x/{a}.json", "https://example.com/1/x/2.json"));
        assert!(!matches("https://example.com/books/{id}", "https://example.com/books/1/reviews"));
        assert!(matches("https://example.com/books/{%2Bid}", "https://example.com/books/1/reviews"));
        assert!(matches("https://example.com:8080/books/{id}", "https://example.com:8080/books/1"));
        assert!(matches("urn:book:{id}", "urn:book:1") && !matches("urn:book:{id}", "urn:author:1"));
    }

    #[test]
    fn earlier_names_of_the_cursor_count_only_beside_a_topic() {
        for name in ["Last-Event-ID", "lastEventID"] {
            let earlier = parse(&format!("topic=a&{name}=x")).unwrap();
            assert_eq!(earlier.cursor, Some(Cursor::After("x".to_owned())));
            assert_eq!(earlier.generation, Generation::Selectors);
            let current = parse(&format!("match=a&{name}=x")).unwrap();
            assert_eq!((current.cursor, current.generation), (None, Generation::Current));
        }
        let both = parse("lastEventID=x&topic=a&last_event_id=y").unwrap();
        assert_eq!(both.cursor, Some(Cursor::After("y".to_owned())));
    }

    #[test]
    fn a_selector_has_only_so_many_variables() {
        assert!(parse(&format!("topic={}", "{a}".repeat(64))).is_ok());
        let error = parse(&format!("topic={}", "{a}".repeat(65))).unwrap_err().to_string();
        assert!(error.contains("64 variables"), "{error}");
        assert!(parse(&format!("topic={{a}}{}", "x".repeat(2048))).is_err());
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
