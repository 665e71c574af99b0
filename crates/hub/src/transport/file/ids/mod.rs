//! From event ids to places.
//!
//! An id is kept as a keyed 128-bit hash: nobody who does not have the key can make two ids collide, so a hash that is
//! found needs no look at the record. Rejected: 64-bit hashes, which save a third of the index but cost a read of the
//! record for each hit, cold more often than not.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use siphasher::sip128::{Hasher128, SipHasher24};
use uuid::Uuid;

mod merge;
pub(super) use merge::{merge, merge_due};
mod page;
mod run;
pub(super) use run::{Entry, Run, RunError, RunWriter};

/// The key of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(u64, u64);

impl Key {
    /// A key that nobody knows.
    pub(super) fn random() -> Self {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        // A few bits of a UUID are fixed; the hash of two of them has none.
        let (other, another) = Uuid::new_v4().as_u64_pair();
        let hash = Self(high, low).hash_bytes(&[other.to_le_bytes(), another.to_le_bytes()].concat());
        Self::from_bytes(hash.to_le_bytes())
    }

    pub(super) fn from_bytes(bytes: [u8; 16]) -> Self {
        let key = u128::from_le_bytes(bytes);
        // The halves of 128 bits.
        Self((key >> 64) as u64, key as u64)
    }

    pub(super) fn bytes(self) -> [u8; 16] {
        (u128::from(self.0) << 64 | u128::from(self.1)).to_le_bytes()
    }

    pub(super) fn hash(self, id: &str) -> u128 {
        self.hash_bytes(id.as_bytes())
    }

    /// What the checksums of records begin with.
    pub(super) fn seed(self) -> u32 {
        // Any 32 of its bits will do.
        self.hash_bytes(b"checksum") as u32
    }

    fn hash_bytes(self, bytes: &[u8]) -> u128 {
        let mut hasher = SipHasher24::new_with_keys(self.0, self.1);
        hasher.write(bytes);
        hasher.finish128().as_u128()
    }
}

/// The ids of one segment, while no run has them.
#[derive(Clone, Debug, Default)]
pub(super) struct SegmentIds {
    first: HashMap<u128, u64, BuildHasherDefault<Identity>>,
    /// Later occurrences of ids that occur more than once, in order.
    repeats: HashMap<u128, Vec<u64>, BuildHasherDefault<Identity>>,
}

impl SegmentIds {
    /// Adds an occurrence, later than all before.
    pub(super) fn insert(&mut self, hash: u128, seq: u64) {
        if let std::collections::hash_map::Entry::Vacant(entry) = self.first.entry(hash) {
            entry.insert(seq);
        } else {
            self.repeats.entry(hash).or_default().push(seq);
        }
    }

    /// The earliest occurrence after `floor`.
    pub(super) fn find(&self, hash: u128, floor: u64) -> Option<u64> {
        let first = *self.first.get(&hash)?;
        if first > floor {
            return Some(first);
        }
        let later = self.repeats.get(&hash)?;
        later.get(later.partition_point(|seq| *seq <= floor)).copied()
    }

    /// All occurrences, sorted.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let first = self.first.iter().map(|(hash, seq)| Entry { hash: *hash, seq: *seq });
        let later = self
            .repeats
            .iter()
            .flat_map(|(hash, seqs)| seqs.iter().map(|seq| Entry { hash: *hash, seq: *seq }));
        let mut entries: Vec<Entry> = first.chain(later).collect();
        entries.sort_unstable();
        entries
    }
}

/// The hash of a hash is itself.
#[derive(Clone, Copy, Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        // Its lower half is as good as the whole.
        self.0 = hash as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_bytes_and_differ() {
        let key = Key::random();
        assert_eq!(Key::from_bytes(key.bytes()), key);
        assert_ne!(Key::random(), key);
        assert_ne!(key.hash("a"), key.hash("b"));
        assert_ne!(key.hash("a"), Key::random().hash("a"));
    }

    #[test]
    fn the_earliest_occurrence_after_the_floor_counts() {
        let mut ids = SegmentIds::default();
        for (hash, seq) in [(5, 10), (6, 11), (5, 12), (5, 13)] {
            ids.insert(hash, seq);
        }
        assert_eq!(ids.find(5, 0), Some(10));
        assert_eq!(ids.find(5, 10), Some(12));
        assert_eq!(ids.find(5, 12), Some(13));
        assert_eq!(ids.find(5, 13), None);
        assert_eq!(ids.find(6, 11), None);
        assert_eq!(ids.find(7, 0), None);
        let entries: Vec<_> = ids.entries().into_iter().map(|entry| (entry.hash, entry.seq)).collect();
        assert_eq!(entries, [(5, 10), (5, 12), (5, 13), (6, 11)]);
    }
}
