//! A disk in memory that fails on demand and forgets, in a crash, what was not flushed.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::storage::{LogFile, Storage};

/// Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Clone, Debug, Default)]
struct Inner {
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names since they were made durable.
    renamed: Vec<NameChange>,
    files: Vec<Content>,
    fault: Option<(u64, Fault)>,
    operations: u64,
    reads: u64,
    space: Option<usize>,
    released: bool,
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(String, usize),
    Remove(String),
}

#[derive(Clone, Debug, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Changes since the last flush.
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

/// What happens to an operation that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It fails, once, and changes nothing.
    Fails,
    /// If it is a write, half of it succeeds, and the rest fails.
    Half,
    /// If it is a write, it is short, which is no failure.
    Short,
    /// If it is a flush it fails, and what it should have made durable is lost.
    Lost,
    /// It fails, and so does everything after it.
    Dies,
}

impl Disk {
    /// Lets the operation after this many others fail.
    pub(super) fn fail(&self, after: u64, fault: Fault) {
        let mut inner = self.lock();
        inner.fault = Some((inner.operations + after, fault));
    }

    /// Whether the fault has not come yet.
    pub(super) fn waits_for_fault(&self) -> bool {
        let inner = self.lock();
        inner.fault.is_some_and(|(at, _)| inner.operations <= at)
    }

    /// Limits the bytes of all files together.
    pub(super) fn set_space(&self, bytes: Option<usize>) {
        self.lock().space = bytes;
    }

    /// How often something was read.
    pub(super) fn reads(&self) -> u64 {
        self.lock().reads
    }

    pub(super) fn used(&self) -> usize {
        self.lock().used()
    }

    pub(super) fn released(&self) -> bool {
        self.lock().released
    }

    /// Changes a byte behind everybody's back.
    pub(super) fn flip(&self, name: &str, at: u64) {
        let mut inner = self.lock();
        let file = inner.names[name];
        let at = usize::try_from(at).unwrap();
        inner.files[file].now[at] ^= 0x55;
        inner.files[file].durable[at] ^= 0x55;
    }

    /// What a process finds that starts after this one was killed.
    pub(super) fn killed(&self) -> Self {
        let mut inner = self.lock().clone();
        (inner.fault, inner.released) = (None, false);
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// What a process finds after a loss of power: what was flushed, and any part of what was not.
    pub(super) fn lost_power(&self, seed: u64) -> Self {
        let mut inner = self.lock().clone();
        let mut dice = Dice(seed | 1);
        let kept = dice.below(inner.renamed.len() + 1);
        let mut names = std::mem::take(&mut inner.durable_names);
        for change in inner.renamed.drain(..).take(kept) {
            change.apply(&mut names);
        }
        for file in &mut inner.files {
            file.lose(&mut dice);
        }
        let inner = Inner { durable_names: names.clone(), names, files: inner.files, ..Inner::default() };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

impl NameChange {
    fn apply(self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Set(name, file) => drop(names.insert(name, file)),
            Self::Remove(name) => drop(names.remove(&name)),
        }
    }
}

impl Content {
    fn write(&mut self, bytes: &[u8], at: usize) {
        put(&mut self.now, bytes, at);
        self.changes.push(Change::Write(at, bytes.to_vec()));
    }

    /// Any part of what was not flushed may be there: all of it, its beginning, or single bytes torn out.
    fn lose(&mut self, dice: &mut Dice) {
        let mut content = std::mem::take(&mut self.durable);
        for change in self.changes.drain(..) {
            match (change, dice.below(4)) {
                (_, 0) => {}
                (Change::Write(at, bytes), 1) => put(&mut content, &bytes[..dice.below(bytes.len() + 1)], at),
                (Change::Write(at, mut bytes), 2) => {
                    let hole = dice.below(bytes.len());
                    let end = (hole + 1 + dice.below(600)).min(bytes.len());
                    bytes[hole..end].fill(0);
                    put(&mut content, &bytes, at);
                }
                (Change::Write(at, bytes), _) => put(&mut content, &bytes, at),
                (Change::Truncate(size), _) => content.resize(size, 0),
            }
        }
        self.now.clone_from(&content);
        self.durable = content;
    }
}

fn put(content: &mut Vec<u8>, bytes: &[u8], at: usize) {
    let end = at + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}

impl Inner {
    fn used(&self) -> usize {
        self.names.values().map(|file| self.files[*file].now.len()).sum()
    }

    /// Counts an operation, and says what happens to it.
    fn meet(&mut self) -> Option<Fault> {
        let number = self.operations;
        self.operations += 1;
        let (at, fault) = self.fault?;
        (number == at || (number > at && fault == Fault::Dies)).then_some(fault)
    }

    /// An operation that is no write either fails or does not.
    fn allow(&mut self) -> io::Result<()> {
        match self.meet() {
            Some(Fault::Fails | Fault::Dies) => Err(broken()),
            _ => Ok(()),
        }
    }

    fn change_name(&mut self, change: NameChange) {
        change.clone().apply(&mut self.names);
        self.renamed.push(change);
    }
}

fn broken() -> io::Error {
    io::Error::other("the disk is broken")
}

impl Storage for Disk {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let inner = self.lock();
        Ok(inner
            .names
            .iter()
            .map(|(name, file)| (name.clone(), inner.files[*file].now.len() as u64))
            .collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        let file = *self.lock().names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(Handle { disk: self.clone(), file }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        let mut inner = self.lock();
        inner.allow()?;
        inner.files.push(Content::default());
        let file = inner.files.len() - 1;
        inner.change_name(NameChange::Set(name.to_owned(), file));
        Ok(Arc::new(Handle { disk: self.clone(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.allow()?;
        let file = *inner.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        inner.change_name(NameChange::Set(to.to_owned(), file));
        inner.change_name(NameChange::Remove(from.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.allow()?;
        if !inner.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        inner.change_name(NameChange::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut inner = self.lock();
        inner.allow()?;
        inner.renamed.clear();
        inner.durable_names = inner.names.clone();
        Ok(())
    }

    fn release(&self) {
        self.lock().released = true;
    }

    fn describe(&self) -> String {
        "a disk in memory".to_owned()
    }
}

#[derive(Debug)]
struct Handle {
    disk: Disk,
    file: usize,
}

impl LogFile for Handle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut inner = self.disk.lock();
        inner.reads += 1;
        let content = &inner.files[self.file].now;
        let from = usize::try_from(offset).unwrap().min(content.len());
        let count = buffer.len().min(content.len() - from);
        buffer[..count].copy_from_slice(&content[from..from + count]);
        Ok(count)
    }

    fn read_at_once(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut inner = self.disk.lock();
        let half = bytes.len().div_ceil(2);
        let count = match inner.meet() {
            Some(Fault::Fails | Fault::Dies) => return Err(broken()),
            Some(Fault::Half) => {
                let next = inner.operations;
                inner.fault = Some((next, Fault::Fails));
                half
            }
            Some(Fault::Short) => half,
            Some(Fault::Lost) | None => bytes.len(),
        };
        let left = inner.space.map_or(usize::MAX, |space| space.saturating_sub(inner.used()));
        if left == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let count = count.min(left);
        inner.files[self.file].write(&bytes[..count], usize::try_from(offset).unwrap());
        Ok(count)
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.disk.lock();
        let fault = inner.meet();
        let file = &mut inner.files[self.file];
        match fault {
            Some(Fault::Fails | Fault::Dies) => return Err(broken()),
            Some(Fault::Lost) => {
                file.now.clone_from(&file.durable);
                file.changes.clear();
                return Err(broken());
            }
            Some(Fault::Half | Fault::Short) | None => {}
        }
        file.durable.clone_from(&file.now);
        file.changes.clear();
        Ok(())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let mut inner = self.disk.lock();
        inner.allow()?;
        let size = usize::try_from(size).unwrap();
        let file = &mut inner.files[self.file];
        file.now.resize(size, 0);
        file.changes.push(Change::Truncate(size));
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.lock().files[self.file].now.len() as u64)
    }
}

/// Enough of randomness for a disk (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap()
    }
}
