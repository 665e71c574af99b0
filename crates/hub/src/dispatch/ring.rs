//! The most recent events, so that a subscription that has just replayed the history misses nothing.

use std::collections::VecDeque;

use crate::transport::{Seq, Stored};

/// The tail of the history as one shard has seen it.
pub(crate) struct Ring {
    events: VecDeque<Stored>,
    /// Everything up to here was seen by the shard and is no longer in `events`.
    floor: Seq,
    bytes: usize,
}

impl Ring {
    /// A ring that begins after `floor`.
    pub(crate) fn new(floor: Seq) -> Self {
        Self { events: VecDeque::new(), floor, bytes: 0 }
    }

    /// Adds the next event. One that does not follow the last (a transport that began elsewhere) starts the ring anew.
    pub(crate) fn push(&mut self, stored: Stored) {
        if stored.seq != self.newest().next() {
            self.events.clear();
            (self.floor, self.bytes) = (stored.seq.previous(), 0);
        }
        self.bytes += stored.event.weight();
        self.events.push_back(stored);
        while self.events.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.events.pop_front() else { return };
            self.bytes -= oldest.event.weight();
            self.floor = oldest.seq;
        }
    }

    /// The place of the newest event that the shard has seen.
    pub(crate) fn newest(&self) -> Seq {
        self.events.back().map_or(self.floor, |stored| stored.seq)
    }

    /// The events after `after`, or nothing if some of them are no longer here.
    pub(crate) fn after(&self, after: Seq) -> Option<impl Iterator<Item = &Stored>> {
        if after < self.floor {
            return None;
        }
        let skip = self.events.partition_point(|stored| stored.seq <= after);
        Some(self.events.range(skip..))
    }
}

const MAX_EVENTS: usize = 1024;
const MAX_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use petasos_protocol::{EventId, Topic, Update};

    use super::*;
    use crate::event::Event;

    fn stored(seq: u64) -> Stored {
        let update = Update::new(Topic::new("https://example.com/1").unwrap());
        let id = EventId::new(&format!("urn:{seq}")).unwrap();
        Stored { seq: Seq(seq), event: Arc::new(Event::new(id, &update)) }
    }

    #[test]
    fn it_answers_exactly_what_it_still_has() {
        let mut ring = Ring::new(Seq(10));
        assert!(ring.after(Seq(9)).is_none());
        assert_eq!(ring.after(Seq(10)).unwrap().count(), 0);
        for seq in 11..=2011 {
            ring.push(stored(seq));
        }
        assert_eq!(ring.newest(), Seq(2011));
        assert!(ring.after(Seq(986)).is_none());
        assert_eq!(ring.after(Seq(987)).unwrap().next().unwrap().seq, Seq(988));
        assert_eq!(ring.after(Seq(2010)).unwrap().count(), 1);
        assert_eq!(ring.after(Seq(5000)).unwrap().count(), 0);
    }
}
