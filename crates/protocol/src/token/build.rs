//! The claims of a new token.

use serde_json::{Map, Value, json};

use super::DETAIL_TYPE;
use crate::Matcher;

/// Puts the claims of an access token together (RFC 9068); whoever has the key signs them.
#[derive(Clone, Debug)]
#[must_use]
pub struct ClaimsBuilder {
    issuer: String,
    audience: Vec<String>,
    subject: Option<String>,
    publish: Vec<Matcher>,
    subscribe: Vec<Matcher>,
    payload: Option<Value>,
}

impl ClaimsBuilder {
    /// A token from this issuer for these hubs that allows nothing yet.
    pub fn new(issuer: &str, audience: &[&str]) -> Self {
        let mut own: Vec<String> = Vec::new();
        for hub in audience {
            if !own.iter().any(|known| known == hub) {
                own.push((*hub).to_owned());
            }
        }
        let (publish, subscribe) = (Vec::new(), Vec::new());
        Self { issuer: issuer.to_owned(), audience: own, subject: None, publish, subscribe, payload: None }
    }

    /// Allows to publish on what the matcher matches.
    pub fn publish(mut self, matcher: &Matcher) -> Self {
        self.publish.push(matcher.clone());
        self
    }

    /// Allows to receive private updates of what the matcher matches.
    pub fn subscribe(mut self, matcher: &Matcher) -> Self {
        self.subscribe.push(matcher.clone());
        self
    }

    /// What documents about the subscriber say of it; must be an object.
    pub fn payload(mut self, payload: Value) -> Self {
        self.payload = Some(payload);
        self
    }

    /// Whom the token is about.
    pub fn subject(mut self, subject: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self
    }

    /// The claims. Times are in seconds since the epoch.
    #[must_use]
    pub fn build(self, issued_at: u64, expires_at: u64) -> Value {
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), self.issuer.into());
        let audience =
            if self.audience.len() == 1 { self.audience[0].clone().into() } else { self.audience.into() };
        claims.insert("aud".to_owned(), audience);
        if let Some(subject) = self.subject {
            claims.insert("sub".to_owned(), subject.into());
        }
        claims.insert("iat".to_owned(), issued_at.into());
        claims.insert("exp".to_owned(), expires_at.into());
        let mut details = Vec::new();
        for (action, matchers) in [("publish", &self.publish), ("subscribe", &self.subscribe)] {
            if !matchers.is_empty() {
                let topics: Vec<Value> = matchers.iter().map(topic).collect();
                details.push(json!({"type": DETAIL_TYPE, "actions": [action], "topics": topics}));
            }
        }
        if let (Some(payload), Some(last)) = (self.payload, details.last_mut()) {
            last["payload"] = payload;
        }
        claims.insert("authorization_details".to_owned(), details.into());
        claims.into()
    }
}

fn topic(matcher: &Matcher) -> Value {
    json!({"match": matcher.source(), "match_type": matcher.match_type().as_str()})
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::token::{Claims, GrantLimits};
    use crate::{HubUrl, TopicView};

    #[test]
    fn what_is_built_is_read_back() {
        let hub = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
        let claims = ClaimsBuilder::new("me", &["hub", "hub"])
            .publish(&Matcher::any())
            .subscribe(&Matcher::url_pattern("/books/:id", &hub).unwrap())
            .payload(json!({"a": 1}))
            .subject("you")
            .build(5, 10);
        assert_eq!(claims["aud"], "hub");
        let claims = Claims::parse(claims.to_string().as_bytes(), &hub, &GrantLimits::default()).unwrap();
        assert_eq!((claims.iss.as_deref(), claims.sub.as_deref(), claims.exp), (Some("me"), Some("you"), 10));
        assert!(claims.grants.may_publish(&TopicView::new("anything", &hub)));
        assert!(
            claims
                .grants
                .subscribe_matchers()
                .any(|matcher| matcher.matches(&TopicView::new("/books/1", &hub)))
        );
        assert_eq!(claims.grants.details[1].payload, Some(json!({"a": 1})));
    }

    proptest! {
        #[test]
        fn auth_3_the_grants_that_are_built_are_those_that_are_read(
            publish in prop::collection::vec("[a-z/:.]{1,12}|\\*", 0..4),
            subscribe in prop::collection::vec("[a-z/:.]{1,12}|\\*", 0..4),
            topic in "[a-z/:.]{1,12}",
        ) {
            let hub = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
            let matchers = |values: &[String]| {
                values.iter().map(|value| Matcher::url_pattern(value, &hub).or_else(|_| Matcher::exact(value)).unwrap()).collect::<Vec<_>>()
            };
            let (publish, subscribe) = (matchers(&publish), matchers(&subscribe));
            let builder = publish.iter().fold(ClaimsBuilder::new("me", &["hub"]), ClaimsBuilder::publish);
            let claims = subscribe.iter().fold(builder, ClaimsBuilder::subscribe).build(1, 2).to_string();
            let claims = Claims::parse(claims.as_bytes(), &hub, &GrantLimits::default()).unwrap();
            let view = TopicView::new(&topic, &hub);
            prop_assert_eq!(claims.grants.may_publish(&view), publish.iter().any(|matcher| matcher.matches(&view)));
            let granted: Vec<Matcher> = claims.grants.subscribe_matchers().cloned().collect();
            prop_assert_eq!(granted, subscribe);
        }
    }
}
