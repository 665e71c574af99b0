//! Updates: what publishers send.

use std::fmt;
use std::sync::Arc;

use crate::Topic;
use crate::compat::Generation;
use crate::text::{self, ForbiddenChar};

/// The identity of an event (PUB.4). Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventId(Arc<str>);

impl EventId {
    /// Bytes that an id, or the type of an event, may have.
    pub const MAX: usize = 256;

    /// Checks an id.
    ///
    /// # Errors
    /// [`EventIdError`] if it begins with `#`, is `earliest` or empty, is too long, or holds a forbidden character.
    pub fn new(id: &str) -> Result<Self, EventIdError> {
        match id {
            "" => return Err(EventIdError::Empty),
            "earliest" => return Err(EventIdError::Earliest),
            _ if id.starts_with('#') => return Err(EventIdError::Hash(text::shorten(id))),
            _ if id.len() > EventId::MAX => {
                return Err(EventIdError::TooLong { length: id.len(), max: Self::MAX });
            }
            _ => {}
        }
        text::check(id).map_err(|forbidden| EventIdError::Character { id: text::shorten(id), forbidden })?;
        Ok(Self(id.into()))
    }

    /// The id as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a string may not be an event id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventIdError {
    /// It is empty.
    #[error("an id must not be empty; leave it out and the hub makes one")]
    Empty,
    /// It is `earliest`, which clients write to get the whole history.
    #[error("\"earliest\" is not an id: it is what clients write to get the whole history")]
    Earliest,
    /// It begins with `#`.
    #[error("the id {0:?} begins with \"#\"")]
    Hash(String),
    /// It is too long.
    #[error("the id is {length} bytes long; {max} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// What is allowed.
        max: usize,
    },
    /// It holds a forbidden character.
    #[error("the id {id:?} holds {forbidden}")]
    Character {
        /// The id, shortened.
        id: String,
        /// The character and its place.
        forbidden: ForbiddenChar,
    },
}

/// The `event` field of an event (PUB.5). Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventType(Arc<str>);

impl EventType {
    /// Checks a type.
    ///
    /// # Errors
    /// [`EventTypeError`] if it is `mercure`, is too long, or holds a forbidden character.
    pub fn new(event_type: &str) -> Result<Self, EventTypeError> {
        if event_type == "mercure" {
            return Err(EventTypeError::Reserved);
        }
        if event_type.len() > EventId::MAX {
            return Err(EventTypeError::TooLong { length: event_type.len(), max: EventId::MAX });
        }
        text::check(event_type).map_err(|forbidden| EventTypeError::Character {
            event_type: text::shorten(event_type),
            forbidden,
        })?;
        Ok(Self(event_type.into()))
    }

    /// `mercure`: the type of events that the hub itself makes (ACT.1).
    pub(crate) fn of_the_hub() -> Self {
        Self("mercure".into())
    }

    /// The type as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a string may not be an event type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventTypeError {
    /// It is `mercure`.
    #[error("the type \"mercure\" is reserved for the events of the hub itself")]
    Reserved,
    /// It is too long.
    #[error("the type is {length} bytes long; {max} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// What is allowed.
        max: usize,
    },
    /// It holds a forbidden character.
    #[error("the type {event_type:?} holds {forbidden}")]
    Character {
        /// The type, shortened.
        event_type: String,
        /// The character and its place.
        forbidden: ForbiddenChar,
    },
}

/// What is published: data about one resource that has one or more topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Invariant: not empty; the first one is canonical.
    topics: Vec<Topic>,
    data: String,
    private: bool,
    id: Option<EventId>,
    event_type: Option<EventType>,
    retry: Option<u64>,
    /// Invariant: empty if it is public.
    audience: Vec<Topic>,
    for_earlier: bool,
}

impl Update {
    /// A public update without data on its canonical topic.
    #[must_use]
    pub fn new(topic: Topic) -> Self {
        Self {
            topics: vec![topic],
            data: String::new(),
            private: false,
            id: None,
            event_type: None,
            retry: None,
            audience: Vec::new(),
            for_earlier: false,
        }
    }

    /// Adds an alternate topic.
    #[must_use]
    pub fn with_alternate(mut self, topic: Topic) -> Self {
        self.topics.push(topic);
        self
    }

    /// Sets what the event carries.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<String>) -> Self {
        self.data = data.into();
        self
    }

    /// Restricts it to subscribers with a matching grant (AUTH.5).
    #[must_use]
    pub fn with_private(mut self, private: bool) -> Self {
        self.private = private;
        self
    }

    /// Makes it private, and restricts it to subscribers with a grant for one of these targets: grants for its topics do not
    /// count. None of them lift the restriction.
    #[must_use]
    pub fn with_audience(mut self, targets: Vec<Topic>) -> Self {
        self.private |= !targets.is_empty();
        self.audience = targets;
        self
    }

    /// The update as a hub of this generation has to be told of it. Only hubs of `targets` know an audience; to others its
    /// targets are further topics of a private update. Hubs of `targets` know no private updates; there the topics of one are
    /// its targets. Either way the same grants are needed, by name.
    #[must_use]
    pub fn for_hub_of(mut self, generation: Generation) -> Self {
        if generation != Generation::Targets {
            for target in std::mem::take(&mut self.audience) {
                if !self.topics.contains(&target) {
                    self.topics.push(target);
                }
            }
        } else if self.private && self.audience.is_empty() {
            self.audience.clone_from(&self.topics);
        }
        self
    }

    /// Keeps it from subscribers of the current generation, who are told the same in another way.
    #[must_use]
    pub(crate) fn for_earlier_subscribers(mut self) -> Self {
        self.for_earlier = true;
        self
    }

    /// Sets the event's id; the hub makes one otherwise.
    #[must_use]
    pub fn with_id(mut self, id: EventId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets the event's type; browsers call it `message` otherwise.
    #[must_use]
    pub fn with_event_type(mut self, event_type: EventType) -> Self {
        self.event_type = Some(event_type);
        self
    }

    /// Tells clients how long to wait before they reconnect, in milliseconds.
    #[must_use]
    pub fn with_retry(mut self, milliseconds: u64) -> Self {
        self.retry = Some(milliseconds);
        self
    }

    /// The canonical topic, then the alternate ones.
    #[must_use]
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// The canonical topic.
    #[must_use]
    pub fn canonical(&self) -> &Topic {
        &self.topics[0]
    }

    /// What the event carries.
    #[must_use]
    pub fn data(&self) -> &str {
        &self.data
    }

    /// Whether only subscribers with a matching grant receive it.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.private
    }

    /// The targets that it is for; empty if its topics decide who may receive it.
    #[must_use]
    pub fn audience(&self) -> &[Topic] {
        &self.audience
    }

    /// Whether only subscribers of earlier generations receive it.
    #[must_use]
    pub fn is_for_earlier(&self) -> bool {
        self.for_earlier
    }

    /// Its id, if the publisher chose one.
    #[must_use]
    pub fn id(&self) -> Option<&EventId> {
        self.id.as_ref()
    }

    /// Its type.
    #[must_use]
    pub fn event_type(&self) -> Option<&EventType> {
        self.event_type.as_ref()
    }

    /// How long clients shall wait before they reconnect, in milliseconds.
    #[must_use]
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pub_4_ids_are_checked() {
        for id in ["", "#x", "earliest", "a\nb", "a\0", &"x".repeat(257)] {
            assert!(EventId::new(id).is_err(), "{id:?}");
        }
        for id in ["urn:uuid:5e94c686-2c0b-4f9b-958c-92ccc3bbb4eb", "x#", "Earliest", "caf\u{e9}"] {
            assert_eq!(EventId::new(id).unwrap().as_str(), id);
        }
    }

    #[test]
    fn pub_5_types_are_checked() {
        for event_type in ["mercure", "a\rb", "a\u{200b}"] {
            assert!(EventType::new(event_type).is_err(), "{event_type:?}");
        }
        assert!(EventType::new("Mercure").is_ok());
    }
}
