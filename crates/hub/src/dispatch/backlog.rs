//! What one subscriber has not taken yet: shared frames, with limits.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::poll::Socket;

/// Bytes that many subscribers share. How many backlogs hold them is known apart from who else does: the history and the
/// ring keep the same frames.
#[derive(Clone)]
pub(crate) struct Piece {
    bytes: Bytes,
    hold: Arc<()>,
}

impl Piece {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes, hold: Arc::new(()) }
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What is left after `sent` bytes.
    pub(crate) fn rest(&self, sent: usize) -> Self {
        Self { bytes: self.bytes.slice(sent..), hold: Arc::clone(&self.hold) }
    }

    pub(crate) fn hold(&self) -> &Arc<()> {
        &self.hold
    }
}

/// Frames that wait for one subscriber. Exists only while there are any.
#[derive(Default)]
pub(crate) struct Backlog {
    frames: VecDeque<Piece>,
    bytes: usize,
}

/// When a subscriber is too slow: beyond any of these it is cut off, and comes back with its cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BacklogLimits {
    /// Bytes that may wait for one subscriber.
    pub max_bytes: usize,
    /// Frames that may wait for one subscriber.
    pub max_frames: usize,
    /// Time in which one takes nothing of what waits for it, in milliseconds.
    pub max_stall_ms: u64,
    /// Memory that everything that waits may pin, over all subscribers; beyond it those that have most waiting are cut off.
    pub max_total: usize,
}

impl Default for BacklogLimits {
    fn default() -> Self {
        Self { max_bytes: 256 << 10, max_frames: 1000, max_stall_ms: 10_000, max_total: 256 << 20 }
    }
}

/// Why a subscriber is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Too many bytes wait.
    Bytes,
    /// Too many frames wait.
    Frames,
    /// Nothing was taken for too long.
    Stalled,
    /// All backlogs together pin too much memory, and this one is among the largest.
    Budget,
    /// It sent more than a subscriber has to say.
    Talks,
    /// It is gone.
    Gone,
    /// Its token or its lifetime ended.
    Expired,
    /// The hub stops.
    Stopped,
}

impl Backlog {
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Queues a frame. One frame alone is always taken, so that a large event can reach a subscriber that keeps up.
    pub(crate) fn push(&mut self, frame: Piece, limits: &BacklogLimits) -> Result<(), Cut> {
        if !self.frames.is_empty() {
            if self.bytes + frame.bytes.len() > limits.max_bytes {
                return Err(Cut::Bytes);
            }
            if self.frames.len() >= limits.max_frames {
                return Err(Cut::Frames);
            }
        }
        self.bytes += frame.bytes.len();
        self.frames.push_back(frame);
        Ok(())
    }

    /// Sends what the socket takes; `true` if that was at least one byte.
    pub(crate) fn flush(&mut self, socket: &mut impl Socket) -> io::Result<bool> {
        let mut progress = false;
        while let Some(head) = self.frames.front_mut() {
            match socket.write(&head.bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => {
                    progress = true;
                    self.bytes -= sent;
                    if sent == head.bytes.len() {
                        self.frames.pop_front();
                    } else {
                        drop(head.bytes.split_to(sent));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(progress)
    }

    /// Takes everything as one piece.
    pub(crate) fn drain(&mut self) -> Option<Bytes> {
        let frames = std::mem::take(self).frames;
        match frames.len() {
            0 => None,
            1 => frames.into_iter().next().map(|piece| piece.bytes),
            _ => {
                let mut joined = Vec::with_capacity(frames.iter().map(|piece| piece.bytes.len()).sum());
                frames.iter().for_each(|piece| joined.extend_from_slice(&piece.bytes));
                Some(joined.into())
            }
        }
    }
}

/// One piece of shared bytes from several; no copy if there is only one.
pub(crate) fn join(frames: &[Bytes]) -> Option<Bytes> {
    match frames {
        [] => None,
        [only] => Some(only.clone()),
        _ => Some(frames.concat().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(bytes: &'static [u8]) -> Piece {
        Piece::new(Bytes::from_static(bytes))
    }

    #[test]
    fn limits_are_named_and_a_single_large_frame_is_taken() {
        let limits = BacklogLimits { max_bytes: 10, max_frames: 2, ..BacklogLimits::default() };
        let mut backlog = Backlog::default();
        backlog.push(piece(&[0; 100]), &limits).unwrap();
        assert_eq!(backlog.push(piece(b"x"), &limits), Err(Cut::Bytes));
        assert_eq!(backlog.drain().unwrap().len(), 100);
        assert_eq!(backlog.bytes(), 0);
        backlog.push(piece(b"a"), &limits).unwrap();
        backlog.push(piece(b"b"), &limits).unwrap();
        assert_eq!(backlog.push(piece(b"c"), &limits), Err(Cut::Frames));
        assert_eq!(backlog.drain().unwrap(), "ab");
        assert!(backlog.is_empty());
    }
}
