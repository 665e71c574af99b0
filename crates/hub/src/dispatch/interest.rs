//! What a subscription asks for and what it may have.

use std::sync::Arc;

use petasos_protocol::{HubUrl, Matcher, TopicView};

use crate::event::Event;

/// The matchers of a subscription and the private topics its token grants; equal interests share one class.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Interest {
    matchers: Box<[Matcher]>,
    grants: Arc<[Matcher]>,
}

impl Interest {
    pub(crate) fn new(matchers: Vec<Matcher>, grants: Arc<[Matcher]>) -> Self {
        Self { matchers: matchers.into(), grants }
    }

    pub(crate) fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }

    pub(crate) fn grants(&self) -> &Arc<[Matcher]> {
        &self.grants
    }

    /// Whether the event goes to such a subscriber: a matcher selects it and, if it is private, a grant allows it (AUTH.5).
    pub(crate) fn admits(&self, event: &Event, hub: &HubUrl) -> bool {
        let views: Vec<TopicView<'_>> =
            event.topics().iter().map(|topic| TopicView::new(topic.as_str(), hub)).collect();
        any_matches(&self.matchers, &views) && (!event.is_private() || any_matches(&self.grants, &views))
    }
}

/// Whether one of the matchers matches one of the topics.
pub(crate) fn any_matches(matchers: &[Matcher], topics: &[TopicView<'_>]) -> bool {
    matchers.iter().any(|matcher| topics.iter().any(|topic| matcher.matches(topic)))
}
