//! An update once it has an identity: framed once, shared by everything that sends it.

use bytes::Bytes;
use petasos_protocol::{EventId, Topic, Update, sse};

/// An update as the hub keeps and sends it. Immutable; shared by `Arc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    id: EventId,
    topics: Box<[Topic]>,
    private: bool,
    audience: Box<[Topic]>,
    for_earlier: bool,
    frame: Bytes,
}

impl Event {
    /// Frames `update` under the identity `id`.
    #[must_use]
    pub fn new(id: EventId, update: &Update) -> Self {
        let mut frame = Vec::with_capacity(update.data().len() + id.as_str().len() + 32);
        sse::encode(&id, update.event_type(), update.retry(), update.data(), &mut frame);
        Self {
            audience: update.audience().into(),
            for_earlier: update.is_for_earlier(),
            ..Self::from_parts(id, update.topics().into(), update.is_private(), frame.into())
        }
    }

    /// Puts an event together from what a transport stored.
    ///
    /// The caller vouches that `frame` is what [`Event::frame`] returned and that `topics` is not empty.
    #[must_use]
    pub fn from_parts(id: EventId, topics: Box<[Topic]>, private: bool, frame: Bytes) -> Self {
        Self { id, topics, private, audience: Box::default(), for_earlier: false, frame }
    }

    /// Adds what [`Event::audience`] returned to an event put together from parts.
    #[must_use]
    pub fn with_audience(mut self, audience: Box<[Topic]>) -> Self {
        self.audience = audience;
        self
    }

    /// Adds what [`Event::is_for_earlier`] returned to an event put together from parts.
    #[must_use]
    pub fn with_for_earlier(mut self, for_earlier: bool) -> Self {
        self.for_earlier = for_earlier;
        self
    }

    /// The identity that `Last-Event-ID` refers to.
    #[must_use]
    pub fn id(&self) -> &EventId {
        &self.id
    }

    /// The canonical topic first, then the alternate ones.
    #[must_use]
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// Whether only subscribers with a matching grant may receive it (AUTH.5).
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.private
    }

    /// The targets that it is for, if its publisher named any: a grant must match one of them instead of a topic.
    #[must_use]
    pub fn audience(&self) -> &[Topic] {
        &self.audience
    }

    /// Whether only subscribers of earlier generations of the protocol receive it.
    #[must_use]
    pub fn is_for_earlier(&self) -> bool {
        self.for_earlier
    }

    /// What the grants of a subscriber are held against if it is private.
    pub(crate) fn names(&self) -> &[Topic] {
        if self.audience.is_empty() { &self.topics } else { &self.audience }
    }

    /// The event as `text/event-stream` bytes, the blank line included.
    #[must_use]
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// What it costs to remember, in bytes, roughly.
    #[must_use]
    pub fn weight(&self) -> usize {
        let topics: usize =
            self.topics.iter().chain(&self.audience).map(|topic| topic.as_str().len() + 32).sum();
        self.frame.len() + self.id.as_str().len() + topics + 96
    }
}
