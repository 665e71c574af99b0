//! What hubs 0.10 to 0.24 say about active subscriptions: JSON-LD, at paths of their own.

use percent_encoding::utf8_percent_encode;
use serde::Serialize;
use serde_json::Value;

use crate::subscription::{RESERVED, decode};
use crate::{HubUrl, Matcher, Topic, Update};

/// A place in the web API of active subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EarlierSubscriptionPath {
    /// All subscriptions.
    All,
    /// The subscriptions with one selector.
    Topic(String),
    /// One subscription.
    One {
        /// Its selector.
        topic: String,
        /// Whose it is.
        subscriber: String,
    },
}

impl EarlierSubscriptionPath {
    /// Reads the path of a request; `None` if nothing is there.
    #[must_use]
    pub fn parse(path: &str, hub: &HubUrl) -> Option<Self> {
        let rest = path.strip_prefix(hub.path())?.strip_prefix("/subscriptions")?;
        if rest.is_empty() {
            return Some(Self::All);
        }
        let parts: Option<Vec<String>> = rest.strip_prefix('/')?.split('/').map(decode).collect();
        match parts?.as_slice() {
            [topic] => Some(Self::Topic(topic.clone())),
            [topic, subscriber] => Some(Self::One { topic: topic.clone(), subscriber: subscriber.clone() }),
            _ => None,
        }
    }
}

/// What is said about one subscription.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EarlierSubscription {
    /// The vocabulary; left out where a collection names it.
    #[serde(rename = "@context", skip_serializing_if = "Option::is_none")]
    pub context: Option<&'static str>,
    /// Its path, which is also the topic of its updates.
    pub id: String,
    /// `Subscription`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it selects.
    pub topic: String,
    /// Whose it is.
    pub subscriber: String,
    /// Whether it has not ended.
    pub active: bool,
    /// What the subscriber's token says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// The newest event when a single document was asked for.
    #[serde(rename = "lastEventID", skip_serializing_if = "Option::is_none")]
    pub last_event_id: Option<String>,
}

impl EarlierSubscription {
    /// Describes the subscription of `subscriber` to `matcher`, of whatever type that is.
    #[must_use]
    pub fn new(
        hub: &HubUrl,
        matcher: &Matcher,
        subscriber: &str,
        active: bool,
        payload: Option<Value>,
    ) -> Self {
        let encode = |text| utf8_percent_encode(text, RESERVED);
        let (path, topic) = (hub.path(), matcher.source());
        Self {
            context: Some(CONTEXT),
            id: format!("{path}/subscriptions/{}/{}", encode(topic), encode(subscriber)),
            kind: "Subscription",
            topic: topic.to_owned(),
            subscriber: subscriber.to_owned(),
            active,
            payload,
            last_event_id: None,
        }
    }

    /// The document as the answer to a request, when `newest` is the newest event.
    #[must_use]
    pub fn at(self, newest: &str) -> Self {
        Self { last_event_id: Some(newest.to_owned()), ..self }
    }

    /// The private update that tells subscribers of the same generation of the start or end.
    #[must_use]
    pub fn update(&self) -> Update {
        // A document of strings and JSON values can always be written.
        let data = serde_json::to_string(self).unwrap_or_default();
        Update::new(Topic::of_the_hub(&self.id)).with_private(true).for_earlier_subscribers().with_data(data)
    }
}

/// What is said about several subscriptions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EarlierSubscriptions {
    /// The vocabulary.
    #[serde(rename = "@context")]
    pub context: &'static str,
    /// Where it was asked for.
    pub id: String,
    /// `Subscriptions`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The newest event when it was asked for.
    #[serde(rename = "lastEventID")]
    pub last_event_id: String,
    /// The subscriptions.
    pub subscriptions: Vec<EarlierSubscription>,
}

impl EarlierSubscriptions {
    /// The answer to a request for `path`, when `newest` is the newest event.
    #[must_use]
    pub fn new(path: &str, newest: &str, subscriptions: Vec<EarlierSubscription>) -> Self {
        let plain = |one: EarlierSubscription| EarlierSubscription { context: None, ..one };
        Self {
            context: CONTEXT,
            id: path.to_owned(),
            kind: "Subscriptions",
            last_event_id: newest.to_owned(),
            subscriptions: subscriptions.into_iter().map(plain).collect(),
        }
    }
}

const CONTEXT: &str = "https://mercure.rocks/";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::TopicView;

    fn hub() -> HubUrl {
        HubUrl::parse("https://example.com/.well-known/mercure").unwrap()
    }

    const ID: &str =
        "/.well-known/mercure/subscriptions/https%3A%2F%2Fexample.com%2F%7Bselector%7D/urn%3Auuid%3A1";

    fn document() -> EarlierSubscription {
        let matcher = Matcher::selector("https://example.com/{selector}").unwrap();
        EarlierSubscription::new(&hub(), &matcher, "urn:uuid:1", true, Some(json!({"foo": "bar"})))
    }

    #[test]
    fn the_documents_have_the_shape_of_their_generation() {
        let expected = json!({
            "@context": "https://mercure.rocks/", "id": ID, "type": "Subscription",
            "topic": "https://example.com/{selector}", "subscriber": "urn:uuid:1", "active": true,
            "payload": {"foo": "bar"},
        });
        let update = document().update();
        assert_eq!(serde_json::from_str::<Value>(update.data()).unwrap(), expected);
        assert_eq!((update.canonical().as_str(), update.event_type(), update.is_private()), (ID, None, true));
        let many = EarlierSubscriptions::new("/x", "urn:9", vec![document()]);
        let many = serde_json::to_value(many).unwrap();
        assert_eq!((&many["type"], &many["lastEventID"]), (&json!("Subscriptions"), &json!("urn:9")));
        assert_eq!(many["subscriptions"][0].get("@context"), None);
        assert_eq!(serde_json::to_value(document().at("urn:9")).unwrap()["lastEventID"], "urn:9");
    }

    #[test]
    fn the_templates_that_clients_use_select_the_updates() {
        for selector in [
            "/.well-known/mercure/subscriptions/{topic}/{subscriber}",
            "/.well-known/mercure/subscriptions{/topic}{/subscriber}",
        ] {
            assert!(Matcher::selector(selector).unwrap().matches(&TopicView::new(ID, &hub())), "{selector}");
        }
    }

    #[test]
    fn paths_are_told_apart() {
        let parse =
            |rest: &str| EarlierSubscriptionPath::parse(&format!("/.well-known/mercure{rest}"), &hub());
        assert_eq!(parse("/subscriptions"), Some(EarlierSubscriptionPath::All));
        assert_eq!(parse("/subscriptions/a%2Fb"), Some(EarlierSubscriptionPath::Topic("a/b".to_owned())));
        let (topic, subscriber) = ("https://example.com/{selector}".to_owned(), "urn:uuid:1".to_owned());
        assert_eq!(
            EarlierSubscriptionPath::parse(ID, &hub()),
            Some(EarlierSubscriptionPath::One { topic, subscriber })
        );
        for nothing in ["", "/subscriptions/a/b/c", "/subscriptionsx", "/subscriptions/%ff"] {
            assert_eq!(parse(nothing), None, "{nothing}");
        }
    }
}
