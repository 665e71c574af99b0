//! One subscriber of a shard.

use std::io;
use std::sync::Arc;

use petasos_protocol::sse;

use super::backlog::{Backlog, BacklogLimits, Cut, Piece};
use super::command::Guard;
use super::index::ClassId;
use super::poll::{Ready, Socket};
use super::slot::Slot;

/// A subscriber: with its place in the slab no more than one cache line. What it shares with others is in its class.
pub(crate) struct Record<S> {
    pub(crate) target: Link<S>,
    pub(crate) class: ClassId,
    /// Where it stands among the members of its class.
    pub(crate) position: u32,
    /// Second of the last write.
    pub(crate) written: u32,
    /// Second at which it ends; 0 means never.
    pub(crate) expires: u32,
    /// When what waits was last seen to move, in milliseconds that begin anew after 49 days; 0 while nothing waits.
    stalled_since: u32,
    /// Bytes that it sent after its request.
    noise: u16,
    half_closed: bool,
    /// Whether the shard has it among those that are looked at each second.
    pub(crate) listed: bool,
    backlog: Option<Box<Backlog>>,
    /// Held for as long as the subscription lasts.
    _guard: Guard,
}

/// Where its bytes go.
pub(crate) enum Link<S> {
    Socket(S),
    Slot(Arc<Slot>),
}

impl<S: Socket> Record<S> {
    pub(crate) fn new(target: Link<S>, written: u32, expires: u32, guard: Guard) -> Self {
        Self {
            target,
            class: 0,
            position: 0,
            written,
            expires,
            stalled_since: 0,
            noise: 0,
            half_closed: false,
            listed: false,
            backlog: None,
            _guard: guard,
        }
    }

    /// Sends, or queues behind what already waits.
    pub(crate) fn send(&mut self, piece: &Piece, limits: &BacklogLimits, now_ms: u64) -> Result<(), Cut> {
        self.written = second(now_ms / 1000);
        match &mut self.target {
            Link::Slot(slot) => {
                if slot.push(piece.clone(), limits)? {
                    self.stalled_since = moment(now_ms);
                }
                Ok(())
            }
            Link::Socket(_) if self.backlog.is_some() => self.queue(piece.clone(), limits, now_ms),
            Link::Socket(socket) => {
                let sent = write(socket, piece.bytes())?;
                if sent == piece.bytes().len() {
                    return Ok(());
                }
                self.queue(piece.rest(sent), limits, now_ms)
            }
        }
    }

    /// Takes note of what happened to its socket.
    pub(crate) fn handle(&mut self, event: Ready, now_ms: u64) -> Result<(), Cut> {
        if event.closed {
            return Err(Cut::Gone);
        }
        if event.readable || event.half_closed {
            self.discard()?;
        }
        if event.writable {
            self.flush(now_ms)?;
        }
        Ok(())
    }

    /// Bytes that it was sent and has not taken.
    pub(crate) fn pending(&self) -> usize {
        match &self.target {
            Link::Slot(slot) => slot.pending(),
            Link::Socket(_) => self.backlog.as_ref().map_or(0, |backlog| backlog.bytes()),
        }
    }

    /// Whether something waits for it, as far as is known: a body that has taken everything is noticed later.
    pub(crate) fn waits(&self) -> bool {
        self.stalled_since != 0
    }

    /// Milliseconds since what waits was last seen to move.
    pub(crate) fn stalled_for(&self, now_ms: u64) -> u64 {
        u64::from(moment(now_ms).wrapping_sub(self.stalled_since))
    }

    /// Nothing waits for it any more, and the shard no longer lists it.
    pub(crate) fn take_off(&mut self) {
        (self.stalled_since, self.listed) = (0, false);
    }

    fn queue(&mut self, piece: Piece, limits: &BacklogLimits, now_ms: u64) -> Result<(), Cut> {
        if self.backlog.is_none() {
            self.stalled_since = moment(now_ms);
        }
        self.backlog.get_or_insert_default().push(piece, limits)
    }

    fn flush(&mut self, now_ms: u64) -> Result<(), Cut> {
        let (Some(backlog), Link::Socket(socket)) = (&mut self.backlog, &mut self.target) else {
            return Ok(());
        };
        if backlog.flush(socket).map_err(|_| Cut::Gone)? {
            self.stalled_since = moment(now_ms);
        }
        if backlog.is_empty() {
            self.backlog = None;
            self.stalled_since = 0;
        }
        Ok(())
    }

    /// Reads and forgets what a client sends after its request: unread bytes would turn a later close into a reset.
    /// The end of its input does not end the subscription, but a client that is gone altogether answers the comment
    /// that is sent then with a reset, and is noticed at once instead of at the next heartbeat.
    fn discard(&mut self) -> Result<(), Cut> {
        let Link::Socket(socket) = &mut self.target else { return Ok(()) };
        let mut buffer = [0; 1024];
        while !self.half_closed {
            match socket.read(&mut buffer) {
                Ok(0) => {
                    self.half_closed = true;
                    if self.backlog.is_none() && write(socket, sse::HEARTBEAT)? < sse::HEARTBEAT.len() {
                        return Err(Cut::Gone);
                    }
                }
                Ok(count) => {
                    self.noise = self.noise.saturating_add(u16::try_from(count).unwrap_or(u16::MAX));
                    if self.noise > MAX_NOISE {
                        return Err(Cut::Talks);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Cut::Gone),
            }
        }
        Ok(())
    }
}

/// Writes once; how much the socket took.
fn write(socket: &mut impl Socket, bytes: &[u8]) -> Result<usize, Cut> {
    loop {
        match socket.write(bytes) {
            Ok(sent) => return Ok(sent),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(Cut::Gone),
        }
    }
}

/// Ends a connection: in order if the subscriber did nothing wrong, else as it is.
pub(crate) fn part(socket: &mut impl Socket, cut: Cut) {
    if !matches!(cut, Cut::Expired | Cut::Stopped) {
        return;
    }
    if let Err(error) = socket.finish().and_then(|()| discard_input(socket)) {
        tracing::debug!(%error, "a subscriber was gone before its stream could be ended");
    }
}

/// Unread input turns a close into a reset, which destroys what the client has not read yet.
fn discard_input(socket: &mut impl Socket) -> io::Result<()> {
    let mut buffer = [0; 1024];
    for _ in 0..=usize::from(MAX_NOISE) / buffer.len() {
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Milliseconds as the records keep them, none of which is 0.
fn moment(now_ms: u64) -> u32 {
    // What is above 32 bits is left out on purpose.
    ((now_ms & u64::from(u32::MAX)) as u32).max(1)
}

/// Seconds as the records keep them; they last 136 years.
pub(crate) fn second(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// More than this after its request, and the client takes the stream for something else.
const MAX_NOISE: u16 = 4096;

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_record_leaves_room_for_its_generation_in_one_cache_line() {
        assert!(size_of::<Record<std::os::fd::OwnedFd>>() <= 64 - size_of::<u32>());
    }
}
