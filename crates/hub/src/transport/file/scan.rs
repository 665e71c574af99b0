//! Records one after the other, from bytes or from a file, in bounded memory.

use std::io;

use super::record::{self, Flaw, HEAD, Record};
use super::storage::{LogFile, Wait, fill};

/// Where bytes come from.
pub(super) trait Source {
    /// Fills the buffer as far as the source goes; returns how far that is.
    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl Source for dyn LogFile + '_ {
    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        fill(self, buffer, offset, Wait::Yes)
    }
}

impl Source for [u8] {
    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let count = buffer.len().min(self.len() - from);
        buffer[..count].copy_from_slice(&self[from..from + count]);
        Ok(count)
    }
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Step<'w> {
    /// A record, and the offset at which it begins.
    Record(u64, Record<'w>),
    /// Nothing: the source ends here.
    End,
    /// Something that is no record.
    Flaw(u64, &'static str),
}

/// Walks over the records of a source.
pub(super) struct Scan<'s, S: ?Sized> {
    source: &'s S,
    seed: u32,
    /// Where the next record begins.
    at: u64,
    end: u64,
    window: Vec<u8>,
    /// The offset at which the window begins; `at` lies in the window or at its end.
    window_at: u64,
}

impl<'s, S: Source + ?Sized> Scan<'s, S> {
    pub(super) fn new(source: &'s S, seed: u32, from: u64, end: u64) -> Self {
        Self { source, seed, at: from, end, window: Vec::new(), window_at: from }
    }

    /// After a flaw there is no next one.
    pub(super) fn next(&mut self) -> io::Result<Step<'_>> {
        let (at, left) = (self.at, self.end.saturating_sub(self.at));
        if left == 0 {
            return Ok(Step::End);
        }
        if left < HEAD as u64 {
            return Ok(Step::Flaw(at, CUT_OFF));
        }
        self.load(HEAD)?;
        let size = match record::size(self.ahead()) {
            Ok(size) if size as u64 <= left => size,
            Ok(_) | Err(Flaw::Short(_)) => return Ok(Step::Flaw(at, CUT_OFF)),
            Err(Flaw::Bad(reason)) => return Ok(Step::Flaw(at, reason)),
        };
        self.load(size)?;
        self.at += size as u64;
        let from = self.within(at);
        Ok(match record::parse(&self.window[from..from + size], self.seed) {
            Ok(record) => Step::Record(at, record),
            Err(Flaw::Bad(reason)) => Step::Flaw(at, reason),
            Err(Flaw::Short(_)) => Step::Flaw(at, CUT_OFF),
        })
    }

    fn ahead(&self) -> &[u8] {
        &self.window[self.within(self.at)..]
    }

    fn within(&self, at: u64) -> usize {
        usize::try_from(at - self.window_at).unwrap_or(usize::MAX).min(self.window.len())
    }

    /// Has the next `needed` bytes in the window; the source has as many.
    fn load(&mut self, needed: usize) -> io::Result<()> {
        if self.ahead().len() >= needed {
            return Ok(());
        }
        let passed = self.within(self.at);
        self.window.drain(..passed);
        self.window_at = self.at;
        let had = self.window.len();
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        self.window.resize(needed.max(CHUNK).min(left), 0);
        let read = self.source.fill(&mut self.window[had..], self.at + had as u64)?;
        self.window.truncate(had + read);
        if self.window.len() < needed {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// Bytes that are read in one go.
pub(super) const CHUNK: usize = 256 << 10;
const CUT_OFF: &str = "it is cut off";
