//! What a token allows: `authorization_details` of the Mercure type (AUTH.3).

use serde_json::Value;

use super::TokenError;
use crate::{HubUrl, MatchType, Matcher, TopicView};

/// The type of an authorization detail that concerns Mercure.
pub const DETAIL_TYPE: &str = "https://mercure.rocks/authorization-detail";

/// Everything that a token grants.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Grants {
    /// The details, in the order of the token.
    pub details: Vec<GrantDetail>,
}

/// One authorization detail: actions on topics.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GrantDetail {
    /// Whether publishing is among its actions.
    pub publish: bool,
    /// Whether subscribing is among its actions.
    pub subscribe: bool,
    /// The topics it is about.
    pub topics: Vec<Matcher>,
    /// What documents about the subscriber say of it (ACT.3).
    pub payload: Option<Value>,
}

/// How much a token may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantLimits {
    /// Number of details.
    pub max_details: usize,
    /// Number of topics of all details together.
    pub max_topics: usize,
}

impl Default for GrantLimits {
    fn default() -> Self {
        Self { max_details: 100, max_topics: 1000 }
    }
}

impl Grants {
    /// Whether publishing on the topic is allowed (PUB.8).
    #[must_use]
    pub fn may_publish(&self, topic: &TopicView<'_>) -> bool {
        self.details
            .iter()
            .any(|detail| detail.publish && detail.topics.iter().any(|matcher| matcher.matches(topic)))
    }

    /// Whether publishing on anything is allowed.
    #[must_use]
    pub fn has_publish(&self) -> bool {
        self.details.iter().any(|detail| detail.publish)
    }

    /// The topics whose private updates may be received (AUTH.5).
    pub fn subscribe_matchers(&self) -> impl Iterator<Item = &Matcher> {
        self.details.iter().filter(|detail| detail.subscribe).flat_map(|detail| &detail.topics)
    }

    /// What documents about a subscription say of the subscriber: the payload of the first detail with the `subscribe`
    /// action one of whose topics matches the subscription's matcher, seen as a topic (ACT.3).
    #[must_use]
    pub fn payload(&self, matcher: &TopicView<'_>) -> Option<&Value> {
        let mut details = self.details.iter().filter(|detail| detail.subscribe);
        details.find(|detail| detail.topics.iter().any(|topic| topic.matches(matcher)))?.payload.as_ref()
    }

    /// Reads `authorization_details`. One invalid entry of our type makes the whole token invalid.
    pub(super) fn parse(
        details: Option<&Value>,
        hub: &HubUrl,
        limits: &GrantLimits,
    ) -> Result<Self, TokenError> {
        let Some(details) = details else { return Ok(Self::default()) };
        let entries = details.as_array().ok_or(TokenError::Member("authorization_details"))?;
        if entries.len() > limits.max_details {
            return Err(TokenError::TooMany("authorization details"));
        }
        let mut grants = Self::default();
        let mut topics = 0;
        for entry in entries {
            let kind =
                entry.get("type").and_then(Value::as_str).ok_or(TokenError::Detail("it has no type"))?;
            if kind != DETAIL_TYPE {
                continue;
            }
            let detail = GrantDetail::parse(entry, hub, limits)?;
            topics += detail.topics.len();
            if topics > limits.max_topics {
                return Err(TokenError::TooMany("topics"));
            }
            grants.details.push(detail);
        }
        Ok(grants)
    }
}

impl GrantDetail {
    fn parse(entry: &Value, hub: &HubUrl, limits: &GrantLimits) -> Result<Self, TokenError> {
        let actions = entry.get("actions").and_then(Value::as_array).filter(|actions| !actions.is_empty());
        let actions = actions.ok_or(TokenError::Detail("it has no actions"))?;
        let mut detail = Self { publish: false, subscribe: false, topics: Vec::new(), payload: None };
        for action in actions {
            match action.as_str().ok_or(TokenError::Detail("an action is not a string"))? {
                "" => return Err(TokenError::Detail("an action is empty")),
                "publish" => detail.publish = true,
                "subscribe" => detail.subscribe = true,
                _ => {}
            }
        }
        let topics = entry.get("topics").and_then(Value::as_array).filter(|topics| !topics.is_empty());
        let topics = topics.ok_or(TokenError::Detail("it has no topics"))?;
        if topics.len() > limits.max_topics {
            return Err(TokenError::TooMany("topics"));
        }
        detail.topics = topics.iter().map(|topic| matcher(topic, hub)).collect::<Result<_, _>>()?;
        detail.payload = match entry.get("payload") {
            None => None,
            Some(payload @ Value::Object(_)) => Some(payload.clone()),
            Some(_) => return Err(TokenError::Detail("its payload is not an object")),
        };
        Ok(detail)
    }
}

fn matcher(topic: &Value, hub: &HubUrl) -> Result<Matcher, TokenError> {
    if !topic.is_object() {
        return Err(TokenError::Detail("a topic is not an object"));
    }
    let value = topic.get("match").and_then(Value::as_str).filter(|value| !value.is_empty());
    let value = value.ok_or(TokenError::Detail("a topic has no match"))?;
    let match_type = match topic.get("match_type") {
        None => MatchType::Exact,
        Some(name) => {
            let known = name.as_str().and_then(MatchType::from_name);
            known.ok_or(TokenError::Detail("a topic has an unknown match_type"))?
        }
    };
    Ok(Matcher::new(match_type, value, hub)?)
}
