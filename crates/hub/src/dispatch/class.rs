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
    /// What is queued, by class.
    pending: Vec<Pending>,
    /// The grants of everyone who has none.
    nothing: Arc<[Matcher]>,
}

struct Class {
    interest: Arc<Interest>,
    /// Places in the shard's records; a member knows its position here, so that leaving is O(1).
    members: Members,
    seen: u64,
    /// Which of [`Classes::pending`] it has, counted from one; 0 is none.
    queued: u32,
}

/// Frames that wait for the members of a class.
pub(crate) struct Pending {
    pub(crate) class: ClassId,
    pub(crate) frames: Vec<Bytes>,
}

/// The members of a class. Very many classes have one.
enum Members {
    One(u32),
    Many(Vec<u32>),
}

impl Members {
    fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(only) => std::slice::from_ref(only),
            Self::Many(members) => members,
        }
    }

    fn push(&mut self, member: u32) {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, member]),
            Self::Many(members) if members.is_empty() => *self = Self::One(member),
            Self::Many(members) => members.push(member),
        }
    }

    fn swap_remove(&mut self, position: usize) {
        match self {
            Self::One(_) => *self = Self::Many(Vec::new()),
            Self::Many(members) => {
                members.swap_remove(position);
            }
        }
    }
}

impl Classes {
    pub(crate) fn new(hub: HubUrl) -> Self {
        let (by_interest, classes) = (HashMap::new(), Slots::new());
        let (index, candidates, pending) = (Index::default(), Vec::new(), Vec::new());
        Self { hub, by_interest, classes, index, round: 0, candidates, pending, nothing: Arc::from([]) }
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
        let position = u32::try_from(class.members.as_slice().len()).ok()?;
        class.members.push(member);
        Some((token.index(), position))
    }

    /// Removes the member at `position`; returns the member that took its place, if one did.
    pub(crate) fn leave(&mut self, id: ClassId, position: u32) -> Option<u32> {
        let (token, class) = self.classes.by_index(id)?;
        class.members.swap_remove(position as usize);
        let members = class.members.as_slice();
        let moved = members.get(position as usize).copied();
        if members.is_empty() {
            self.close(token);
        }
        moved
    }

    /// Queues an event for every class that it is for.
    pub(crate) fn queue(&mut self, event: &Event) {
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
            if let Some(pending) = self.pending.get_mut(class.queued.wrapping_sub(1) as usize) {
                pending.frames.push(event.frame().clone());
            } else if let Ok(count) = u32::try_from(self.pending.len() + 1) {
                class.queued = count;
                self.pending.push(Pending { class: id, frames: vec![event.frame().clone()] });
            }
        }
    }

    /// Takes all that is queued.
    pub(crate) fn take_pending(&mut self) -> Vec<Pending> {
        for pending in &self.pending {
            if let Some((_, class)) = self.classes.by_index(pending.class) {
                class.queued = 0;
            }
        }
        std::mem::take(&mut self.pending)
    }

    /// How many members a class has.
    pub(crate) fn size(&mut self, id: ClassId) -> usize {
        self.classes.by_index(id).map_or(0, |(_, class)| class.members.as_slice().len())
    }

    pub(crate) fn member(&mut self, id: ClassId, position: usize) -> Option<u32> {
        self.classes.by_index(id)?.1.members.as_slice().get(position).copied()
    }

    fn open(&mut self, interest: &Arc<Interest>) -> Option<Token> {
        let interest = Arc::new(interest.settle(&self.nothing));
        let members = Members::Many(Vec::new());
        let class = Class { interest: Arc::clone(&interest), members, seen: 0, queued: 0 };
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
