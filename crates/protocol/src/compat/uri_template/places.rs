//! Sets of places in a string.

/// Places between the bytes of a string of known length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Places {
    is_in: Vec<bool>,
}

impl Places {
    pub(super) fn none(length: usize) -> Self {
        Self { is_in: vec![false; length + 1] }
    }

    pub(super) fn at_start(length: usize) -> Self {
        let mut places = Self::none(length);
        places.put(0);
        places
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.is_in.contains(&true)
    }

    pub(super) fn has(&self, place: usize) -> bool {
        self.is_in.get(place).copied().unwrap_or(false)
    }

    /// Adds a place; one behind the end is none.
    pub(super) fn put(&mut self, place: usize) {
        if let Some(is_in) = self.is_in.get_mut(place) {
            *is_in = true;
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (own, other) in self.is_in.iter_mut().zip(&other.is_in) {
            *own |= *other;
        }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        for (place, is_in) in self.is_in.iter_mut().enumerate() {
            *is_in = *is_in && keep(place);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.is_in.iter().enumerate().filter(|(_, is_in)| **is_in).map(|(place, _)| place)
    }

    /// The places right after `piece` where it stands at one of these.
    pub(super) fn after(&self, piece: &[u8], text: &[u8]) -> Self {
        let mut after = Self::none(text.len());
        for place in self.iter().filter(|place| text[*place..].starts_with(piece)) {
            after.put(place + piece.len());
        }
        after
    }
}
