//! What the backlogs of one shard pin in memory together, each shared piece counted once.

use std::sync::Arc;

use super::backlog::Piece;

/// Pieces that at least one subscriber has queued.
#[derive(Default)]
pub(crate) struct Held {
    /// How long each is, and by how many backlogs it is held.
    pieces: Vec<(usize, Arc<()>)>,
    bytes: usize,
}

impl Held {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn add(&mut self, piece: &Piece) {
        self.bytes += piece.bytes().len();
        self.pieces.push((piece.bytes().len(), Arc::clone(piece.hold())));
    }

    /// Forgets what no backlog holds any more.
    pub(crate) fn sweep(&mut self) {
        self.pieces.retain(|(_, hold)| Arc::strong_count(hold) > 1);
        self.bytes = self.pieces.iter().map(|(len, _)| len).sum();
        if self.pieces.capacity() > KEPT && self.pieces.len() < KEPT / 2 {
            self.pieces.shrink_to(KEPT);
        }
    }
}

const KEPT: usize = 1024;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_piece_counts_once_and_until_the_last_part_of_it_is_gone() {
        let mut held = Held::default();
        let piece = Piece::new(Bytes::from(vec![0; 100]));
        let parts = [piece.rest(10), piece.rest(90)];
        held.add(&piece);
        drop(piece);
        held.sweep();
        assert_eq!(held.bytes(), 100);
        let [first, second] = parts;
        drop(first);
        held.sweep();
        assert_eq!(held.bytes(), 100);
        drop(second);
        held.sweep();
        assert_eq!((held.bytes(), held.pieces.len()), (0, 0));
    }
}
