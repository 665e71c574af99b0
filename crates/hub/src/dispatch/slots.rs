//! A slab of fixed chunks: growing copies nothing, and an address carries a generation so that a stale one is noticed.

/// Where an entry is, and which of the entries that were there it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Token(u64);

impl Token {
    fn new(index: u32, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(index))
    }

    pub(crate) fn index(self) -> u32 {
        (self.0 & u64::from(u32::MAX)) as u32
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(crate) fn as_u64(self) -> u64 {
        self.0
    }

    pub(crate) fn from_u64(raw: u64) -> Self {
        Self(raw)
    }
}

/// Entries addressed by [`Token`].
pub(crate) struct Slots<T> {
    chunks: Vec<Vec<Entry<T>>>,
    free: Vec<u32>,
    len: usize,
    /// Generation of entries that are made new; above every generation that was ever given back.
    fresh: u32,
}

/// Begins at a cache line, so that what fits into one is read at once.
#[repr(align(64))]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), len: 0, fresh: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds an entry; `None` if all 2^32 - 1 places are taken.
    pub(crate) fn insert(&mut self, value: T) -> Option<Token> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.grow()?,
        };
        let entry = self.entry_mut(index)?;
        entry.value = Some(value);
        let token = Token::new(index, entry.generation);
        self.len += 1;
        Some(token)
    }

    pub(crate) fn remove(&mut self, token: Token) -> Option<T> {
        let entry = self.entry_mut(token.index()).filter(|entry| entry.generation == token.generation())?;
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1) & GENERATIONS;
        self.len -= 1;
        self.free.push(token.index());
        if self.len == 0 {
            self.release();
        }
        Some(value)
    }

    pub(crate) fn by_token(&mut self, token: Token) -> Option<&mut T> {
        self.entry_mut(token.index()).filter(|entry| entry.generation == token.generation())?.value.as_mut()
    }

    /// The entry that is at this place now, with its token.
    pub(crate) fn by_index(&mut self, index: u32) -> Option<(Token, &mut T)> {
        let entry = self.entry_mut(index)?;
        let token = Token::new(index, entry.generation);
        entry.value.as_mut().map(|value| (token, value))
    }

    /// The tokens of all entries.
    pub(crate) fn tokens(&self) -> Vec<Token> {
        let entries = self.chunks.iter().flatten().zip(0u32..);
        entries
            .filter(|(entry, _)| entry.value.is_some())
            .map(|(entry, index)| Token::new(index, entry.generation))
            .collect()
    }

    fn grow(&mut self) -> Option<u32> {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let index = u32::try_from((self.chunks.len() - 1) * CHUNK).ok()?;
        let generation = self.fresh;
        let chunk = self.chunks.last_mut()?;
        let index = index.checked_add(u32::try_from(chunk.len()).ok()?)?;
        chunk.push(Entry { generation, value: None });
        Some(index)
    }

    /// Gives the memory of a crowd that has left back; only when nobody is left, so that addresses stay where they are.
    fn release(&mut self) {
        if self.chunks.len() > 1 {
            let newest = self.chunks.iter().flatten().map(|entry| entry.generation).max();
            self.fresh = newest.unwrap_or(0).wrapping_add(1) & GENERATIONS;
            self.chunks.truncate(1);
            self.free.retain(|index| (*index as usize) < CHUNK);
            self.free.shrink_to_fit();
        }
    }

    fn entry_mut(&mut self, index: u32) -> Option<&mut Entry<T>> {
        let index = index as usize;
        self.chunks.get_mut(index / CHUNK)?.get_mut(index % CHUNK)
    }
}

const CHUNK: usize = 1024;

/// One bit less than fits, so that no token is ever the poller's own (all ones).
const GENERATIONS: u32 = u32::MAX >> 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_token_finds_nothing() {
        let mut slots = Slots::new();
        let first = slots.insert("a").unwrap();
        assert_eq!(slots.remove(first), Some("a"));
        let second = slots.insert("b").unwrap();
        assert_eq!(first.index(), second.index());
        assert!(slots.by_token(first).is_none());
        assert_eq!(slots.by_token(second), Some(&mut "b"));
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn chunks_grow_and_are_given_back_when_all_have_left() {
        let mut slots = Slots::new();
        let tokens: Vec<Token> = (0..5000).map(|value| slots.insert(value).unwrap()).collect();
        assert_eq!(slots.tokens(), tokens);
        assert_eq!(slots.by_index(4999).unwrap().1, &4999);
        for token in tokens {
            slots.remove(token).unwrap();
        }
        assert_eq!((slots.len(), slots.chunks.len(), slots.free.len()), (0, 1, CHUNK));
        assert!(slots.insert(1).is_some());
    }
}
