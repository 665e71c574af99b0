//! Publishing twice by accident: what was published under which `Idempotency-Key` lately.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use petasos_protocol::{EventId, Update, encode_publish};
use sha2::{Digest, Sha256};

/// A publisher's key: the same key of another publisher is another key. Its digest, so that a long one takes no more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

impl Key {
    pub(crate) fn new(publisher: &str, key: &str) -> Self {
        let parts = [publisher, key].map(|part| Sha256::digest(part.as_bytes()));
        Self(Sha256::digest(parts.concat()).into())
    }
}

/// Recent keys, bounded.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// Keys in the order in which they came.
    order: VecDeque<Key>,
}

#[derive(Debug)]
struct Entry {
    content: [u8; 32],
    /// `None` while the first publish with this key is still under way.
    id: Option<EventId>,
}

/// What to do with a publish that has a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the first one: dispatch it, then [`Recent::finish`] or [`Recent::abandon`].
    First,
    /// It was dispatched before, under this id.
    Repeated(EventId),
    /// The first one is still under way.
    UnderWay,
    /// The key was used for something else.
    Other,
}

impl Recent {
    pub(crate) fn begin(&self, key: &Key, update: &Update) -> Verdict {
        let content = digest(update);
        let mut state = self.state();
        if let Some(entry) = state.entries.get(key) {
            return match &entry.id {
                _ if entry.content != content => Verdict::Other,
                Some(id) => Verdict::Repeated(id.clone()),
                None => Verdict::UnderWay,
            };
        }
        state.entries.insert(*key, Entry { content, id: None });
        state.order.push_back(*key);
        while state.order.len() > REMEMBERED {
            if let Some(oldest) = state.order.pop_front() {
                state.entries.remove(&oldest);
            }
        }
        Verdict::First
    }

    pub(crate) fn finish(&self, key: &Key, id: &EventId) {
        if let Some(entry) = self.state().entries.get_mut(key) {
            entry.id = Some(id.clone());
        }
    }

    /// The publish failed: the next one with this key is a first one again.
    pub(crate) fn abandon(&self, key: &Key) {
        let mut state = self.state();
        state.entries.remove(key);
        state.order.retain(|other| other != key);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(update: &Update) -> [u8; 32] {
    Sha256::digest(encode_publish(update).as_bytes()).into()
}

/// Keys that are remembered; about 200 bytes each.
const REMEMBERED: usize = 16_384;

#[cfg(test)]
mod tests {
    use petasos_protocol::Topic;

    use super::*;

    fn update(data: &str) -> Update {
        Update::new(Topic::new("https://example.com/1").unwrap()).with_data(data)
    }

    #[test]
    fn a_repetition_gets_the_first_id_and_other_content_is_noticed() {
        let (recent, key, id) = (Recent::default(), Key::new("a", "k"), EventId::new("urn:1").unwrap());
        assert_eq!(recent.begin(&key, &update("x")), Verdict::First);
        assert_eq!(recent.begin(&key, &update("x")), Verdict::UnderWay);
        recent.finish(&key, &id);
        assert_eq!(recent.begin(&key, &update("x")), Verdict::Repeated(id));
        assert_eq!(recent.begin(&key, &update("y")), Verdict::Other);
        assert_eq!(recent.begin(&Key::new("b", "k"), &update("y")), Verdict::First);
    }

    #[test]
    fn a_failed_publish_may_be_tried_again() {
        let (recent, key) = (Recent::default(), Key::new("a", "k"));
        assert_eq!(recent.begin(&key, &update("x")), Verdict::First);
        recent.abandon(&key);
        assert_eq!(recent.begin(&key, &update("x")), Verdict::First);
    }

    #[test]
    fn only_so_many_keys_are_remembered() {
        let recent = Recent::default();
        for number in 0..REMEMBERED + 10 {
            recent.begin(&Key::new("a", &number.to_string()), &update("x"));
        }
        assert_eq!(recent.state().entries.len(), REMEMBERED);
        assert_eq!(recent.begin(&Key::new("a", "0"), &update("x")), Verdict::First);
    }
}
