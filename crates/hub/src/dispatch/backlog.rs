//! What one subscriber has not taken yet: shared frames, with limits.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;

use super::poll::Socket;

/// Frames that wait for one subscriber. Exists only while there are any.
#[derive(Default)]
pub(crate) struct Backlog {
    frames: VecDeque<Bytes>,
    bytes: usize,
}

/// When a subscriber is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BacklogLimits {
    pub(crate) max_bytes: usize,
    pub(crate) max_frames: usize,
    /// Time without any progress, in milliseconds.
    pub(crate) max_stall_ms: u64,
}

impl Default for BacklogLimits {
    fn default() -> Self {
        Self { max_bytes: 256 << 10, max_frames: 1000, max_stall_ms: 10_000 }
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
    pub(crate) fn push(&mut self, frame: Bytes, limits: &BacklogLimits) -> Result<(), Cut> {
        if !self.frames.is_empty() {
            if self.bytes + frame.len() > limits.max_bytes {
                return Err(Cut::Bytes);
            }
            if self.frames.len() >= limits.max_frames {
                return Err(Cut::Frames);
            }
        }
        self.bytes += frame.len();
        self.frames.push_back(frame);
        Ok(())
    }

    /// Sends what the socket takes; `true` if that was at least one byte.
    pub(crate) fn flush(&mut self, socket: &mut impl Socket) -> io::Result<bool> {
        let mut progress = false;
        while let Some(head) = self.frames.front_mut() {
            match socket.write(head) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => {
                    progress = true;
                    self.bytes -= sent;
                    if sent == head.len() {
                        self.frames.pop_front();
                    } else {
                        drop(head.split_to(sent));
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
        let joined = join(self.frames.make_contiguous());
        *self = Self::default();
        joined
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

    #[test]
    fn limits_are_named_and_a_single_large_frame_is_taken() {
        let limits = BacklogLimits { max_bytes: 10, max_frames: 2, max_stall_ms: 0 };
        let mut backlog = Backlog::default();
        backlog.push(Bytes::from_static(&[0; 100]), &limits).unwrap();
        assert_eq!(backlog.push(Bytes::from_static(b"x"), &limits), Err(Cut::Bytes));
        assert_eq!(backlog.drain().unwrap().len(), 100);
        assert_eq!(backlog.bytes(), 0);
        backlog.push(Bytes::from_static(b"a"), &limits).unwrap();
        backlog.push(Bytes::from_static(b"b"), &limits).unwrap();
        assert_eq!(backlog.push(Bytes::from_static(b"c"), &limits), Err(Cut::Frames));
        assert_eq!(backlog.drain().unwrap(), "ab");
        assert!(backlog.is_empty());
    }
}
