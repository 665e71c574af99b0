//! Active subscriptions (ACT): where they are, what is said about them, and the updates that say it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;

use crate::{EventType, HubUrl, MatchType, Matcher, Topic, Update};

/// A place in the web API of active subscriptions (ACT.4).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriptionPath {
    /// All subscriptions.
    All,
    /// The subscriptions with one matcher.
    Matcher {
        /// The type of the matcher.
        match_type: String,
        /// The matcher itself.
        matcher: String,
    },
    /// One subscription.
    One {
        /// The type of its matcher.
        match_type: String,
        /// Its matcher.
        matcher: String,
        /// Whose it is.
        subscriber: String,
    },
}

impl SubscriptionPath {
    /// Reads the path of a request; `None` if nothing is there.
    #[must_use]
    pub fn parse(path: &str, hub: &HubUrl) -> Option<Self> {
        let rest = path.strip_prefix(hub.path())?.strip_prefix("/subscriptions")?;
        if rest.is_empty() {
            return Some(Self::All);
        }
        let mut parts = rest.strip_prefix('/')?.split('/').map(decode);
        // A matcher may be empty; a type or a subscriber may not.
        let (match_type, matcher) = (parts.next()??, parts.next()??);
        let subscriber = parts.next();
        if match_type.is_empty() || parts.next().is_some() {
            return None;
        }
        Some(match subscriber {
            None => Self::Matcher { match_type, matcher },
            Some(subscriber) => {
                let subscriber = subscriber.filter(|subscriber| !subscriber.is_empty())?;
                Self::One { match_type, matcher, subscriber }
            }
        })
    }
}

pub(crate) fn decode(part: &str) -> Option<String> {
    percent_decode_str(part).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// What the hub says about one subscription.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SubscriptionDocument {
    /// Its path, which is also the topic of its updates.
    pub id: String,
    /// `subscription`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The type of its matcher.
    pub match_type: &'static str,
    /// Its matcher.
    #[serde(rename = "match")]
    pub matcher: String,
    /// Whose it is.
    pub subscriber: String,
    /// Whether it has not ended.
    pub active: bool,
    /// What the subscriber's token says about it (ACT.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
}

impl SubscriptionDocument {
    /// Describes the subscription of `subscriber` to `matcher`.
    #[must_use]
    pub fn new(
        hub: &HubUrl,
        matcher: &Matcher,
        subscriber: &str,
        active: bool,
        payload: Option<Value>,
    ) -> Self {
        let match_type = MatchType::as_str(matcher.match_type());
        let encode = |text| utf8_percent_encode(text, RESERVED);
        let (path, source) = (hub.path(), encode(matcher.source()));
        Self {
            id: format!("{path}/subscriptions/{match_type}/{source}/{}", encode(subscriber)),
            kind: "subscription",
            match_type,
            matcher: matcher.source().to_owned(),
            subscriber: subscriber.to_owned(),
            active,
            payload,
        }
    }

    /// The private update that tells of the subscription's start or end (ACT.1).
    #[must_use]
    pub fn update(&self) -> Update {
        // A document of strings and JSON values can always be written.
        let data = serde_json::to_string(self).unwrap_or_default();
        Update::new(Topic::of_the_hub(&self.id))
            .with_private(true)
            .with_event_type(EventType::of_the_hub())
            .with_data(data)
    }
}

/// What the hub says about several subscriptions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SubscriptionsDocument {
    /// Where it was asked for.
    pub id: String,
    /// `subscriptions`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The subscriptions.
    pub subscriptions: Vec<SubscriptionDocument>,
}

impl SubscriptionsDocument {
    /// The answer to a request for `path`.
    #[must_use]
    pub fn new(path: &str, subscriptions: Vec<SubscriptionDocument>) -> Self {
        Self { id: path.to_owned(), kind: "subscriptions", subscriptions }
    }
}

/// All but the unreserved characters of RFC 3986, as the simple expansion of RFC 6570 section 3.2.2 encodes them.
pub(crate) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::TopicView;

    fn hub() -> HubUrl {
        HubUrl::parse("https://example.com/.well-known/mercure").unwrap()
    }

    fn document(source: &str) -> SubscriptionDocument {
        let matcher = Matcher::url_pattern(source, &hub()).unwrap();
        SubscriptionDocument::new(&hub(), &matcher, "urn:uuid:1", true, Some(json!({"foo": "bar"})))
    }

    #[test]
    fn act_1_each_variable_is_encoded_once_as_a_whole() {
        let document = document("https://example.com/:selector%20");
        let id = "/.well-known/mercure/subscriptions/urlpattern/https%3A%2F%2Fexample.com%2F%3Aselector%2520/urn%3Auuid%3A1";
        assert_eq!(document.id, id);
        let parsed = SubscriptionPath::parse(id, &hub()).unwrap();
        let expected = SubscriptionPath::One {
            match_type: "urlpattern".to_owned(),
            matcher: "https://example.com/:selector%20".to_owned(),
            subscriber: "urn:uuid:1".to_owned(),
        };
        assert_eq!(parsed, expected);
    }

    #[test]
    fn act_1_the_update_is_private_typed_and_selected_by_the_pattern_of_the_specification() {
        let (hub, document) = (hub(), document("/books/:id"));
        let update = document.update();
        assert!(update.is_private());
        assert_eq!(update.event_type().unwrap().as_str(), "mercure");
        assert_eq!(update.canonical().as_str(), document.id);
        let pattern = "/.well-known/mercure/subscriptions/urlpattern/:match/:subscriber";
        let matcher = Matcher::url_pattern(pattern, &hub).unwrap();
        assert!(matcher.matches(&TopicView::new(update.canonical().as_str(), &hub)));
        let expected = json!({
            "id": document.id, "type": "subscription", "match_type": "urlpattern", "match": "/books/:id",
            "subscriber": "urn:uuid:1", "active": true, "payload": {"foo": "bar"},
        });
        assert_eq!(serde_json::from_str::<Value>(update.data()).unwrap(), expected);
    }

    #[test]
    fn act_1_the_longest_matcher_has_a_topic_too() {
        let matcher = Matcher::exact(&"\u{20ac}".repeat(682)).unwrap();
        let document = SubscriptionDocument::new(&hub(), &matcher, "urn:uuid:1", false, None);
        assert!(document.update().canonical().as_str().len() > 6000);
    }

    proptest! {
        #[test]
        fn act_4_the_id_of_a_subscription_leads_to_it(source in "\\PC{0,12}", subscriber in "\\PC{1,12}") {
            let matcher = Matcher::exact(&source);
            prop_assume!(matcher.is_ok());
            let document = SubscriptionDocument::new(&hub(), &matcher.unwrap(), &subscriber, true, None);
            let found = SubscriptionPath::parse(&document.id, &hub());
            let expected = SubscriptionPath::One { match_type: "exact".to_owned(), matcher: source, subscriber };
            prop_assert_eq!(found, Some(expected));
            prop_assert!(document.id.is_ascii());
        }

        #[test]
        fn no_path_makes_it_panic(path in "(/\\.well-known/mercure)?(/subscriptions)?[/%a-f0-9\u{e9}]{0,20}") {
            drop(SubscriptionPath::parse(&path, &hub()));
        }
    }

    #[test]
    fn act_4_paths_are_told_apart() {
        let parse = |rest: &str| SubscriptionPath::parse(&format!("/.well-known/mercure{rest}"), &hub());
        assert_eq!(parse("/subscriptions"), Some(SubscriptionPath::All));
        let matcher = SubscriptionPath::Matcher { match_type: "exact".to_owned(), matcher: "a/b".to_owned() };
        assert_eq!(parse("/subscriptions/exact/a%2Fb"), Some(matcher));
        let empty = SubscriptionPath::Matcher { match_type: "exact".to_owned(), matcher: String::new() };
        assert_eq!(parse("/subscriptions/exact/"), Some(empty));
        for nothing in [
            "",
            "/",
            "/subscriptionsx",
            "/subscriptions/",
            "/subscriptions/exact",
            "/subscriptions/exact/a/b/c",
            "/subscriptions/exact/%ff",
            "/subscriptions/exact/a/",
        ] {
            assert_eq!(parse(nothing), None, "{nothing}");
        }
    }
}
