//! From an exact topic to the classes that ask for it, in one look at one place of memory.
//!
//! With a million topics no table fits a cache, and each step from one place to the next is a read of main memory. So an
//! entry holds no topic but a keyed 128-bit hash of it, as the history keeps ids: nobody who does not have the key, which is
//! drawn anew for each shard, can make two topics collide, and by chance none ever do. Rejected: a hash of the topic with
//! the matcher behind it, which costs two more such steps, to the matcher and to its text.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

use siphasher::sip128::{Hasher128, SipHasher13};

use super::index::ClassId;

/// Which classes have which exact topic.
pub(crate) struct Exact {
    key: SipHasher13,
    /// The one class that has it, or [`SHARED`].
    classes: HashMap<Name, ClassId, BuildHasherDefault<Itself>>,
    /// For the few topics that several classes have.
    shared: HashMap<Name, HashSet<ClassId>>,
}

impl Exact {
    pub(crate) fn insert(&mut self, topic: &str, class: ClassId) {
        let name = self.name(topic);
        let first = *self.classes.entry(name).or_insert(class);
        if first != class {
            self.shared.entry(name).or_insert_with(|| HashSet::from([first])).insert(class);
            self.classes.insert(name, SHARED);
        }
    }

    pub(crate) fn remove(&mut self, topic: &str, class: ClassId) {
        let name = self.name(topic);
        match self.classes.get(&name) {
            Some(&SHARED) => {}
            Some(only) if *only == class => {
                self.classes.remove(&name);
                return;
            }
            _ => return,
        }
        let Some(classes) = self.shared.get_mut(&name) else { return };
        classes.remove(&class);
        if classes.len() == 1 {
            self.classes.extend(classes.iter().map(|last| (name, *last)));
            self.shared.remove(&name);
        }
    }

    pub(crate) fn find(&self, topic: &str, found: &mut impl FnMut(ClassId)) {
        if self.classes.is_empty() {
            return;
        }
        let name = self.name(topic);
        match self.classes.get(&name) {
            None => {}
            Some(&SHARED) => self.shared.get(&name).into_iter().flatten().copied().for_each(found),
            Some(class) => found(*class),
        }
    }

    fn name(&self, topic: &str) -> Name {
        let mut hasher = self.key;
        hasher.write(topic.as_bytes());
        let hash = hasher.finish128();
        Name([hash.h1, hash.h2].map(u64::to_ne_bytes))
    }
}

impl Default for Exact {
    fn default() -> Self {
        let random = RandomState::new();
        let key = SipHasher13::new_with_keys(random.hash_one(0), random.hash_one(1));
        Self { key, classes: HashMap::default(), shared: HashMap::new() }
    }
}

/// A topic. Bytes, so that an entry of the table has no gaps.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Name([[u8; 8]; 2]);

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Half of a hash is as good as all of it.
        state.write_u64(u64::from_ne_bytes(self.0[0]));
    }
}

/// The hash of a hash is itself.
#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Not a class: no shard has so many.
const SHARED: ClassId = ClassId::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(exact: &Exact, topic: &str) -> Vec<ClassId> {
        let mut classes = Vec::new();
        exact.find(topic, &mut |class| classes.push(class));
        classes.sort_unstable();
        classes
    }

    #[test]
    fn a_topic_is_found_for_one_class_for_several_and_for_none() {
        let mut exact = Exact::default();
        assert!(found(&exact, "a").is_empty());
        for class in [1, 2, 2, 3] {
            exact.insert("a", class);
        }
        exact.insert("b", 4);
        assert_eq!((found(&exact, "a"), found(&exact, "b")), (vec![1, 2, 3], vec![4]));
        exact.remove("a", 2);
        exact.remove("a", 7);
        exact.remove("b", 1);
        assert_eq!((found(&exact, "a"), found(&exact, "b")), (vec![1, 3], vec![4]));
        exact.remove("a", 1);
        assert_eq!((found(&exact, "a"), exact.shared.len()), (vec![3], 0));
        exact.remove("a", 3);
        exact.remove("b", 4);
        assert!(found(&exact, "a").is_empty() && exact.classes.is_empty());
    }
}
