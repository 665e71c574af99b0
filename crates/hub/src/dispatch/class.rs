//! Classes: all subscribers of a shard with one interest, so that matching costs per interest and not per subscriber.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use petasos_protocol::{HubUrl, Matcher, TopicView};

use super::index::{ClassId, Index};
use super::interest::{Interest, any_matches, views};
use super::slots::{Slots, Token};
use crate::event::Event;

/// All classes of a shard.
pub(crate) struct Classes {
    hub: HubUrl,
    by_interest: HashMap<Arc<Interest>, Token>,
    classes: Slots<Class>,
    index: Index,
    /// Distinguishes this event from the last one in `Class::seen`.
    round: u64,
    candidates: Vec<ClassId>,
    /// The grants of everyone who has none.
    nothing: Arc<[Matcher]>,
}

struct Class {
    interest: Arc<Interest>,
    /// Places of the members in the shard's records; a member knows its position here, so that leaving is O(1).
    members: Vec<u32>,
    seen: u64,
    pending: Vec<Bytes>,
}

impl Classes {
    pub(crate) fn new(hub: HubUrl) -> Self {
        let (by_interest, classes) = (HashMap::new(), Slots::new());
        let (index, candidates) = (Index::default(), Vec::new());
        Self { hub, by_interest, classes, index, round: 0, candidates, nothing: Arc::from([]) }
    }

    pub(crate) fn len(&self) -> usize {
        self.classes.len()
    }

    /// Adds a member to the class of its interest; returns the class and the member's position in it.
    pub(crate) fn join(&mut self, interest: &Arc<Interest>, member: u32) -> Option<(ClassId, u32)> {
        let token = match self.by_interest.get(interest) {
            Some(token) => *token,
            None => self.open(interest)?,
        };
        let class = self.classes.by_token(token)?;
        let position = u32::try_from(class.members.len()).ok()?;
        class.members.push(member);
        Some((token.index(), position))
    }

    /// Removes the member at `position`; returns the member that took its place, if one did.
    pub(crate) fn leave(&mut self, id: ClassId, position: u32) -> Option<u32> {
        let (token, class) = self.classes.by_index(id)?;
        class.members.swap_remove(position as usize);
        let moved = class.members.get(position as usize).copied();
        if class.members.is_empty() {
            self.close(token);
        }
        moved
    }

    /// Queues an event in every class that it is for; `touched` gets each class that had nothing queued.
    pub(crate) fn queue(&mut self, event: &Event, touched: &mut Vec<ClassId>) {
        self.round += 1;
        let views = views(event.topics(), &self.hub);
        let candidates = &mut self.candidates;
        candidates.clear();
        for view in &views {
            self.index.find(view, |class| candidates.push(class));
        }
        let mut allowed = Allowed::new(event, &views, &self.hub);
        for id in self.candidates.drain(..) {
            let Some((_, class)) = self.classes.by_index(id) else { continue };
            if class.seen == self.round || !allowed.check(&class.interest) {
                continue;
            }
            class.seen = self.round;
            if class.pending.is_empty() {
                touched.push(id);
            }
            class.pending.push(event.frame().clone());
        }
    }

    /// Takes what is queued for a class, and for how many members it is.
    pub(crate) fn take_pending(&mut self, id: ClassId) -> (Vec<Bytes>, usize) {
        let Some((_, class)) = self.classes.by_index(id) else { return (Vec::new(), 0) };
        (std::mem::take(&mut class.pending), class.members.len())
    }

    pub(crate) fn member(&mut self, id: ClassId, position: usize) -> Option<u32> {
        self.classes.by_index(id)?.1.members.get(position).copied()
    }

    fn open(&mut self, interest: &Arc<Interest>) -> Option<Token> {
        let interest = Arc::new(interest.settle(&self.nothing));
        let class =
            Class { interest: Arc::clone(&interest), members: Vec::new(), seen: 0, pending: Vec::new() };
        let token = self.classes.insert(class)?;
        self.by_interest.insert(Arc::clone(&interest), token);
        for matcher in interest.matchers() {
            self.index.insert(matcher, token.index());
        }
        Some(token)
    }

    fn close(&mut self, token: Token) {
        let Some(class) = self.classes.remove(token) else { return };
        self.by_interest.remove(&class.interest);
        for matcher in class.interest.matchers() {
            self.index.remove(matcher, token.index());
        }
    }
}

/// Which interests may have an event. Remembers which sets of grants allow it: many classes share one token.
struct Allowed<'a> {
    event: &'a Event,
    names: Names<'a>,
    known: HashMap<*const Matcher, bool>,
}

impl<'a> Allowed<'a> {
    /// `topics` are the event's own.
    fn new(event: &'a Event, topics: &'a [TopicView<'a>], hub: &'a HubUrl) -> Self {
        let names = match event.audience() {
            [] => Names::Topics(topics),
            audience => Names::Audience(views(audience, hub)),
        };
        Self { event, names, known: HashMap::new() }
    }

    fn check(&mut self, interest: &Interest) -> bool {
        if !interest.speaks(self.event) {
            return false;
        }
        if !self.event.is_private() {
            return true;
        }
        let (grants, names) = (interest.grants(), self.names.as_slice());
        !grants.is_empty() && *self.known.entry(grants.as_ptr()).or_insert_with(|| any_matches(grants, names))
    }
}

/// What grants are held against.
enum Names<'a> {
    Topics(&'a [TopicView<'a>]),
    Audience(Vec<TopicView<'a>>),
}

impl<'a> Names<'a> {
    fn as_slice(&self) -> &[TopicView<'a>] {
        match self {
            Self::Topics(views) => views,
            Self::Audience(views) => views,
        }
    }
}
