//! What a subscription asks for and what it may have.

use std::sync::Arc;

use petasos_protocol::{HubUrl, Matcher, MatcherKind, Topic, TopicView};

use crate::event::Event;

/// The matchers of a subscription and the private topics its token grants; equal interests share one class.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Interest {
    matchers: Box<[Matcher]>,
    grants: Arc<[Matcher]>,
    /// Whether the subscriber speaks an earlier generation of the protocol.
    is_earlier: bool,
}

impl Interest {
    pub(crate) fn new(matchers: Vec<Matcher>, grants: Arc<[Matcher]>) -> Self {
        Self { matchers: matchers.into(), grants, is_earlier: false }
    }

    /// Says whether the subscriber speaks an earlier generation of the protocol.
    pub(crate) fn of_earlier(mut self, is_earlier: bool) -> Self {
        self.is_earlier = is_earlier;
        self
    }

    /// A copy that stays for as long as its class. The request that brought the original made it among large buffers which
    /// it gave back; what is kept between them would keep their memory from being used again.
    pub(crate) fn settle(&self, nothing: &Arc<[Matcher]>) -> Self {
        let copy = |matcher: &Matcher| match matcher.kind() {
            MatcherKind::Exact(topic) => Matcher::exact(topic).unwrap_or_else(|_| matcher.clone()),
            // Compiled once for all who have it.
            MatcherKind::Any | MatcherKind::Pattern(_) | MatcherKind::Template(_) => matcher.clone(),
        };
        let grants = if self.grants.is_empty() { nothing } else { &self.grants };
        let matchers = self.matchers.iter().map(copy).collect();
        Self { matchers, grants: Arc::clone(grants), is_earlier: self.is_earlier }
    }

    pub(crate) fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }

    pub(crate) fn grants(&self) -> &Arc<[Matcher]> {
        &self.grants
    }

    /// Whether the event is in the subscriber's generation of the protocol, if it is in one at all.
    pub(crate) fn speaks(&self, event: &Event) -> bool {
        // In this order: next to no event is, and what it is not need not be fetched from far away.
        !event.is_for_earlier() || self.is_earlier
    }

    /// Whether the event goes to such a subscriber: a matcher selects it and, if it is private, a grant allows it (AUTH.5).
    pub(crate) fn admits(&self, event: &Event, hub: &HubUrl) -> bool {
        self.speaks(event)
            && any_matches(&self.matchers, &views(event.topics(), hub))
            && (!event.is_private() || any_matches(&self.grants, &views(event.names(), hub)))
    }
}

/// Topics prepared for matching.
pub(crate) fn views<'a>(topics: &'a [Topic], hub: &'a HubUrl) -> Vec<TopicView<'a>> {
    topics.iter().map(|topic| TopicView::new(topic.as_str(), hub)).collect()
}

/// Whether one of the matchers matches one of the topics.
pub(crate) fn any_matches(matchers: &[Matcher], topics: &[TopicView<'_>]) -> bool {
    matchers.iter().any(|matcher| topics.iter().any(|topic| matcher.matches(topic)))
}
