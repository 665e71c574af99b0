//! Topics: strings that name resources.

use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;

use crate::text::{self, ForbiddenChar};
use crate::{HubUrl, pattern};

/// The name of a resource, usually its IRI. Cheap to clone.
///
/// Holds no control or format character, is not `*`, and is at most 2 KiB long if nobody allows more (PUB.3). Whether it lies in a hub's reserved
/// namespace depends on the hub: [`HubUrl::reserves`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(Arc<str>);

impl Topic {
    /// Checks a topic, which may be 2 KiB long.
    ///
    /// # Errors
    /// [`TopicError`] if the string may not be a topic.
    pub fn new(topic: &str) -> Result<Self, TopicError> {
        Self::within(topic, MAX_TOPIC)
    }

    /// Checks a topic, which may be `max` bytes long.
    ///
    /// # Errors
    /// [`TopicError`] if the string may not be a topic.
    pub fn within(topic: &str, max: usize) -> Result<Self, TopicError> {
        if topic == "*" {
            return Err(TopicError::Wildcard);
        }
        if topic.len() > max {
            return Err(TopicError::TooLong { length: topic.len(), max });
        }
        text::check(topic)
            .map_err(|forbidden| TopicError::Character { topic: text::shorten(topic), forbidden })?;
        Ok(Self(topic.into()))
    }

    /// A topic that the hub itself makes: of any length, and in its own namespace.
    pub(crate) fn of_the_hub(topic: &str) -> Self {
        Self(topic.into())
    }

    /// The topic as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Topic {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Why a string may not be a topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// It holds a forbidden character.
    #[error("the topic {topic:?} holds {forbidden}")]
    Character {
        /// The topic, shortened.
        topic: String,
        /// The character and its place.
        forbidden: ForbiddenChar,
    },
    /// It is too long.
    #[error("the topic is {length} bytes long; {max} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// What is allowed.
        max: usize,
    },
    /// It is `*`, which only matchers use.
    #[error("\"*\" is not a topic: it is what subscribers write to match every topic")]
    Wildcard,
}

/// A topic prepared for matching: its URL is resolved and split once, and only if a pattern asks for it.
pub struct TopicView<'a> {
    topic: &'a str,
    hub: &'a HubUrl,
    url: OnceCell<Option<pattern::Parts>>,
}

impl<'a> TopicView<'a> {
    /// Prepares a topic; a relative one is resolved against the hub's URL (SUB.5).
    #[must_use]
    pub fn new(topic: &'a str, hub: &'a HubUrl) -> Self {
        Self { topic, hub, url: OnceCell::new() }
    }

    /// The topic as it was published.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.topic
    }

    /// The topic as an absolute, serialised URL without credentials, if it is a URL reference: what
    /// [`crate::Pattern::literal_prefix`] is a prefix of.
    #[must_use]
    pub fn index_key(&self) -> Option<&str> {
        self.parts().map(pattern::Parts::index_key)
    }

    pub(crate) fn parts(&self) -> Option<&pattern::Parts> {
        self.url.get_or_init(|| self.hub.resolve(self.topic).map(pattern::Parts::new)).as_ref()
    }
}

impl fmt::Debug for TopicView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TopicView").field(&self.topic).finish()
    }
}

pub(crate) const MAX_TOPIC: usize = 2048;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pub_3_a_topic_is_any_text_without_control_and_format_characters() {
        for topic in ["https://example.com/1", "a b", "caf\u{e9}", "", "urn:x", "%00"] {
            assert_eq!(Topic::new(topic).unwrap().as_str(), topic);
        }
        assert_eq!(Topic::new("*"), Err(TopicError::Wildcard));
        assert_eq!(Topic::new(&"x".repeat(2049)), Err(TopicError::TooLong { length: 2049, max: 2048 }));
        let message = Topic::new("a\nb").unwrap_err().to_string();
        assert_eq!(message, "the topic \"a\\nb\" holds the control or format character U+000A at byte 1");
    }

    proptest! {
        #[test]
        fn pub_3_what_is_taken_is_taken_as_it_is(topic in any::<String>()) {
            if let Ok(taken) = Topic::new(&topic) {
                prop_assert_eq!(taken.as_str(), topic.as_str());
                prop_assert!(!topic.chars().any(char::is_control) && topic.len() <= MAX_TOPIC && topic != "*");
            }
            let hub = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
            prop_assert!(TopicView::new(&topic, &hub).index_key().is_none_or(|key| key.contains(':')));
        }
    }
}
