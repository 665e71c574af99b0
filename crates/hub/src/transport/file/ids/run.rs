//! A run: the ids of a range of events, sorted, in a file that never changes.
//!
//! ```text
//! page 0        "petaids\0", u32 version, u32 bits, u64 entries, u64 first, u64 last, 16 bytes key, u32 pages of marks
//! pages 1..=d   directory: for each of the 2^bits prefixes of a hash, the number (u32) of its first entry.
//!               A page holds 1022 of them and the one that follows.
//! pages d+1..=m marks: for each entry the 16 bits behind the prefix of its hash; 2046 a page, the last ones perhaps unused
//! pages m+1..   entries: u128 hash, u64 sequence number; 170 a page
//! ```
//! A look-up has the directory and the marks in memory. About 64 entries share a prefix, so one id in a thousand that the run
//! does not have costs a read, and one that it has costs one of a single page, whatever the size of the run. A run of very
//! many entries has no marks, lest the memory grow with the history: one or two pages that lie side by side are read then.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::super::record::Fields;
use super::super::storage::{LogFile, Wait, fill_all, write_all};
use super::Key;
use super::page::{self, CONTENT, PAGE};

/// An id and a place of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Entry {
    pub(in super::super) hash: u128,
    pub(in super::super) seq: u64,
}

/// Why a run does not answer.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum RunError {
    #[error("page {0} is damaged")]
    Damaged(u64),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An open run.
#[derive(Debug)]
pub(in super::super) struct Run {
    file: Arc<dyn LogFile>,
    head: Head,
    /// For each prefix of a hash the number of its first entry, then the number of entries. In memory: a sixteenth of a
    /// number for each entry saves a look-up half of its reads.
    directory: Box<[u32]>,
    /// The marks of all entries, or nothing.
    marks: Box<[u16]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    bits: u32,
    entries: u64,
    first: u64,
    last: u64,
    key: Key,
    /// 0 for a run without marks.
    mark_pages: u32,
}

impl Run {
    pub(in super::super) fn open(file: Arc<dyn LogFile>) -> Result<Self, RunError> {
        let mut first = [0; PAGE];
        fill_all(&*file, &mut first, 0, Wait::Yes)?;
        let head = page::open(&first, 0).and_then(Head::parse).ok_or(RunError::Damaged(0))?;
        if file.size()? != head.size() {
            return Err(RunError::Damaged(0));
        }
        let directory = read_directory(&*file, &head)?;
        let marks = read_marks(&*file, &head)?;
        Ok(Self { file, head, directory, marks })
    }

    /// The places whose ids it has.
    pub(in super::super) fn range(&self) -> RangeInclusive<u64> {
        self.head.first..=self.head.last
    }

    pub(in super::super) fn key(&self) -> Key {
        self.head.key
    }

    pub(in super::super) fn entries(&self) -> u64 {
        self.head.entries
    }

    /// How many of its places are after `floor`.
    pub(in super::super) fn live(&self, floor: u64) -> u64 {
        self.head.last.saturating_sub(floor.max(self.head.first - 1))
    }

    /// Its size in bytes.
    pub(in super::super) fn size(&self) -> u64 {
        self.head.size()
    }

    /// The earliest occurrence of an id after `floor`.
    pub(in super::super) fn find(&self, hash: u128, floor: u64, wait: Wait) -> Result<Option<u64>, RunError> {
        let (start, end) = self.marked(hash, self.prefix(hash));
        if start >= end {
            return Ok(None);
        }
        let target = Entry { hash, seq: floor.saturating_add(1) };
        let (mut low, mut high) = (start / PER_PAGE, (end - 1) / PER_PAGE);
        // Only an id that was published thousands of times makes a prefix this long.
        while high - low >= AT_ONCE {
            let middle = low.midpoint(high);
            if self.first_of(middle, wait)? < target {
                low = middle;
            } else {
                high = middle;
            }
        }
        let found = self.lower_bound(low, high, target, wait)?;
        Ok(found.filter(|entry| entry.hash == hash).map(|entry| entry.seq))
    }

    /// Walks all entries in order.
    pub(in super::super) fn walk(self: Arc<Self>) -> Walk {
        Walk { run: self, next: 0, pages: Vec::new(), pages_at: 0 }
    }

    /// The numbers of the first entry of the hash's prefix and of the next prefix.
    fn prefix(&self, hash: u128) -> (u64, u64) {
        let at = usize::try_from(self.head.prefix(hash)).unwrap_or(usize::MAX);
        let number = |at: usize| self.directory.get(at).copied().map_or(0, u64::from);
        (number(at), number(at.saturating_add(1)))
    }

    /// The numbers of the first entry, and of the one after the last, that have the mark of the hash, if there are marks.
    fn marked(&self, hash: u128, (start, end): (u64, u64)) -> (u64, u64) {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let Some(marks) = self.marks.get(number(start)..number(end)) else { return (start, end) };
        let mark = self.head.mark(hash);
        let before = marks.partition_point(|other| *other < mark);
        let up_to = marks.partition_point(|other| *other <= mark);
        (start + before as u64, start + up_to as u64)
    }

    fn first_of(&self, entry_page: u64, wait: Wait) -> Result<Entry, RunError> {
        let mut bytes = [0; PAGE];
        let number = self.head.entry_page(entry_page);
        fill_all(&*self.file, &mut bytes, number * PAGE as u64, wait)?;
        let content = page::open(&bytes, number).ok_or(RunError::Damaged(number))?;
        entry(content, 0).ok_or(RunError::Damaged(number))
    }

    /// The first entry of these pages that is not before `target`.
    fn lower_bound(&self, low: u64, high: u64, target: Entry, wait: Wait) -> Result<Option<Entry>, RunError> {
        let bytes = self.pages(low, high - low + 1, wait)?;
        for (page_number, bytes) in (low..=high).zip(bytes.chunks_exact(PAGE)) {
            let number = self.head.entry_page(page_number);
            let content = page::open(bytes, number).ok_or(RunError::Damaged(number))?;
            let (mut from, mut to) = (0, self.head.entries_of(page_number));
            while from < to {
                let middle = usize::midpoint(from, to);
                if entry(content, middle).is_some_and(|entry| entry < target) {
                    from = middle + 1;
                } else {
                    to = middle;
                }
            }
            if from < self.head.entries_of(page_number) {
                return Ok(entry(content, from));
            }
        }
        Ok(None)
    }

    /// The bytes of some pages of entries.
    fn pages(&self, low: u64, count: u64, wait: Wait) -> Result<Vec<u8>, RunError> {
        let mut bytes = vec![0; usize::try_from(count).unwrap_or(0) * PAGE];
        fill_all(&*self.file, &mut bytes, self.head.entry_page(low) * PAGE as u64, wait)?;
        Ok(bytes)
    }
}

impl Head {
    fn parse(content: &[u8]) -> Option<Self> {
        let mut fields = Fields(content);
        if fields.take(MAGIC.len())? != MAGIC || fields.u32()? != VERSION {
            return None;
        }
        let bits = fields.u32().filter(|bits| *bits < 32)?;
        let (entries, first, last) = (fields.u64()?, fields.u64()?, fields.u64()?);
        if first == 0 || first > last {
            return None;
        }
        let key = Key::from_bytes(fields.array()?);
        let mark_pages = fields.u32()?;
        let enough = mark_pages == 0 || u64::from(mark_pages) >= entries.div_ceil(PER_MARKS);
        enough.then_some(Self { bits, entries, first, last, key, mark_pages })
    }

    fn page(&self) -> [u8; PAGE] {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.bits.to_le_bytes());
        for number in [self.entries, self.first, self.last] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.key.bytes());
        bytes.extend_from_slice(&self.mark_pages.to_le_bytes());
        sealed(&bytes, 0)
    }

    fn prefixes(&self) -> u64 {
        1 << self.bits
    }

    fn prefix(&self, hash: u128) -> u64 {
        let prefix = hash.checked_shr(128 - self.bits).unwrap_or(0);
        u64::try_from(prefix).unwrap_or(0)
    }

    /// The 16 bits behind the prefix: entries of one prefix are in the order of these.
    fn mark(&self, hash: u128) -> u16 {
        u16::try_from((hash << self.bits) >> 112).unwrap_or(0)
    }

    /// The place in the file of the first page of marks.
    fn marks_page(&self) -> u64 {
        1 + self.prefixes().div_ceil(PER_DIRECTORY)
    }

    /// The place in the file of the page of entries with this number.
    fn entry_page(&self, number: u64) -> u64 {
        self.marks_page() + u64::from(self.mark_pages) + number
    }

    fn entries_of(&self, page_number: u64) -> usize {
        let rest = self.entries.saturating_sub(page_number * PER_PAGE).min(PER_PAGE);
        usize::try_from(rest).unwrap_or(0)
    }

    fn size(&self) -> u64 {
        self.entry_page(self.entries.div_ceil(PER_PAGE)) * PAGE as u64
    }
}

fn read_directory(file: &dyn LogFile, head: &Head) -> Result<Box<[u32]>, RunError> {
    let mut numbers = Vec::new();
    let mut left = head.prefixes();
    let mut bytes = [0; PAGE];
    for number in 1.. {
        fill_all(file, &mut bytes, number * PAGE as u64, Wait::Yes)?;
        let mut fields = Fields(page::open(&bytes, number).ok_or(RunError::Damaged(number))?);
        // The one after the last of a page is the first of the next page, or the number of all entries.
        for _ in 0..left.min(PER_DIRECTORY) {
            numbers.extend(fields.u32());
        }
        left = left.saturating_sub(PER_DIRECTORY);
        if left == 0 {
            numbers.extend(fields.u32());
            break;
        }
    }
    let whole = numbers.is_sorted() && numbers.last().is_some_and(|end| u64::from(*end) == head.entries);
    if whole { Ok(numbers.into()) } else { Err(RunError::Damaged(1)) }
}

fn read_marks(file: &dyn LogFile, head: &Head) -> Result<Box<[u16]>, RunError> {
    if head.mark_pages == 0 {
        return Ok(Box::default());
    }
    let mut marks = Vec::new();
    let mut bytes = [0; PAGE];
    for page_number in 0..head.entries.div_ceil(PER_MARKS) {
        let number = head.marks_page() + page_number;
        fill_all(file, &mut bytes, number * PAGE as u64, Wait::Yes)?;
        let mut fields = Fields(page::open(&bytes, number).ok_or(RunError::Damaged(number))?);
        for _ in 0..(head.entries - page_number * PER_MARKS).min(PER_MARKS) {
            marks.extend(fields.u16());
        }
    }
    Ok(marks.into())
}

fn entry(content: &[u8], number: usize) -> Option<Entry> {
    let mut fields = Fields(content.get(number * ENTRY..)?);
    Some(Entry { hash: fields.u128()?, seq: fields.u64()? })
}

/// Writes a page that is full, or the last of its kind, and begins the next one.
fn write_page(file: &dyn LogFile, (content, number): &mut (Vec<u8>, u64)) -> io::Result<()> {
    write_all(file, &sealed(content, *number), *number * PAGE as u64)?;
    content.clear();
    *number += 1;
    Ok(())
}

fn sealed(content: &[u8], number: u64) -> [u8; PAGE] {
    let mut bytes = [0; PAGE];
    bytes[..content.len()].copy_from_slice(content);
    page::seal(&mut bytes, number);
    bytes
}

/// The entries of a run in order, a few pages in memory at a time.
pub(in super::super) struct Walk {
    run: Arc<Run>,
    next: u64,
    pages: Vec<u8>,
    /// The page of entries that `pages` begins with.
    pages_at: u64,
}

impl Walk {
    pub(in super::super) fn next(&mut self) -> Result<Option<Entry>, RunError> {
        if self.next >= self.run.head.entries {
            return Ok(None);
        }
        let (page_number, within) = (self.next / PER_PAGE, self.next % PER_PAGE);
        if within == 0 && (self.pages.is_empty() || page_number >= self.pages_at + WALKED) {
            self.load(page_number)?;
        }
        let at = usize::try_from(page_number - self.pages_at).unwrap_or(0) * PAGE;
        let found = entry(&self.pages[at..], usize::try_from(within).unwrap_or(0));
        self.next += 1;
        found.map(Some).ok_or(RunError::Damaged(page_number))
    }

    fn load(&mut self, page_number: u64) -> Result<(), RunError> {
        let left = self.run.head.entries.div_ceil(PER_PAGE) - page_number;
        self.pages = self.run.pages(page_number, left.min(WALKED), Wait::Yes)?;
        self.pages_at = page_number;
        for (number, bytes) in (self.run.head.entry_page(page_number)..).zip(self.pages.chunks_exact(PAGE)) {
            page::open(bytes, number).ok_or(RunError::Damaged(number))?;
        }
        Ok(())
    }
}

/// Writes a run from sorted entries.
pub(in super::super) struct RunWriter {
    file: Arc<dyn LogFile>,
    head: Head,
    /// The page of the directory that is being filled, and its number.
    directory: (Vec<u8>, u64),
    /// The page of marks that is being filled, and its number.
    marks: (Vec<u8>, u64),
    /// The prefix whose first entry is looked for.
    prefix: u64,
    /// Pages of entries that are not written yet; the last one may be incomplete.
    pages: Vec<u8>,
    written: u64,
}

impl RunWriter {
    /// Begins a run with at most `at_most` entries.
    pub(in super::super) fn new(
        file: Arc<dyn LogFile>,
        key: Key,
        range: &RangeInclusive<u64>,
        at_most: u64,
    ) -> Self {
        let bits = at_most.div_ceil(PER_PREFIX).max(1).next_power_of_two().trailing_zeros().min(MOST_BITS);
        let marked = if at_most <= MOST_MARKS { at_most.div_ceil(PER_MARKS) } else { 0 };
        let mark_pages = u32::try_from(marked).unwrap_or(0);
        let head = Head { bits, entries: 0, first: *range.start(), last: *range.end(), key, mark_pages };
        let (directory, marks) = ((Vec::new(), 1), (Vec::new(), head.marks_page()));
        Self { file, head, directory, marks, prefix: 0, pages: Vec::new(), written: 0 }
    }

    /// Adds the next entry. Says whether some were just made durable: the moment for a pause.
    pub(in super::super) fn push(&mut self, entry: Entry) -> io::Result<bool> {
        self.reach(self.head.prefix(entry.hash))?;
        self.mark(entry.hash)?;
        self.pages.extend_from_slice(&entry.hash.to_le_bytes());
        self.pages.extend_from_slice(&entry.seq.to_le_bytes());
        self.head.entries += 1;
        if !self.head.entries.is_multiple_of(PER_PAGE) {
            return Ok(false);
        }
        self.seal_page();
        // In small pieces: a flush of the log that meets a large one waits for it.
        let full = self.pages.len() >= PIECE;
        if full {
            self.flush()?;
        }
        Ok(full)
    }

    /// Completes the run and makes it durable.
    pub(in super::super) fn finish(mut self) -> io::Result<()> {
        if !self.head.entries.is_multiple_of(PER_PAGE) {
            self.seal_page();
        }
        self.reach(self.head.prefixes())?;
        write_page(&*self.file, &mut self.directory)?;
        if !self.marks.0.is_empty() {
            write_page(&*self.file, &mut self.marks)?;
        }
        self.flush()?;
        write_all(&*self.file, &self.head.page(), 0)?;
        self.file.sync()
    }

    /// Notes that every prefix up to and with `prefix` begins with the next entry or before.
    fn reach(&mut self, prefix: u64) -> io::Result<()> {
        let number = u32::try_from(self.head.entries).map_err(|_| io::ErrorKind::FileTooLarge)?;
        while self.prefix <= prefix {
            self.directory.0.extend_from_slice(&number.to_le_bytes());
            self.prefix += 1;
            if self.directory.0.len() == CONTENT {
                write_page(&*self.file, &mut self.directory)?;
                self.directory.0.extend_from_slice(&number.to_le_bytes());
            }
        }
        Ok(())
    }

    /// Notes the mark of the next entry.
    fn mark(&mut self, hash: u128) -> io::Result<()> {
        if self.head.mark_pages == 0 {
            return Ok(());
        }
        if self.marks.1 >= self.head.entry_page(0) {
            return Err(io::Error::other("a run has more entries than was promised"));
        }
        self.marks.0.extend_from_slice(&self.head.mark(hash).to_le_bytes());
        if self.marks.0.len() == CONTENT { write_page(&*self.file, &mut self.marks) } else { Ok(()) }
    }

    fn seal_page(&mut self) {
        let start = self.pages.len() / PAGE * PAGE;
        let number = self.head.entry_page(self.written + (start / PAGE) as u64);
        let page = sealed(&self.pages[start..], number);
        self.pages.truncate(start);
        self.pages.extend_from_slice(&page);
    }

    fn flush(&mut self) -> io::Result<()> {
        write_all(&*self.file, &self.pages, self.head.entry_page(self.written) * PAGE as u64)?;
        self.written += (self.pages.len() / PAGE) as u64;
        self.pages.clear();
        self.file.sync()
    }
}

const MAGIC: &[u8] = b"petaids\0";
/// Runs are made again from the log when their version is another one.
const VERSION: u32 = 2;
/// Bytes of an entry.
const ENTRY: usize = 24;
const PER_PAGE: u64 = (CONTENT / ENTRY) as u64;
/// Prefixes of a page of the directory; the number after the last one is there too.
const PER_DIRECTORY: u64 = (CONTENT / 4) as u64 - 1;
/// Entries that share a prefix, about.
const PER_PREFIX: u64 = 64;
/// Marks of a page.
const PER_MARKS: u64 = (CONTENT / 2) as u64;
/// So that the marks of no run take more than 16 MiB of memory.
const MOST_MARKS: u64 = 8 << 20;
/// So that no directory takes more than 16 MiB of memory.
const MOST_BITS: u32 = 22;
/// Pages of entries that are read in one go.
const AT_ONCE: u64 = 4;
/// Pages that a walk holds.
const WALKED: u64 = 16;
/// Bytes that are made durable in one go.
const PIECE: usize = 64 * PAGE;

#[cfg(test)]
mod tests {
    use super::super::super::sim::Disk;
    use super::super::super::storage::Storage;
    use super::*;

    fn key() -> Key {
        Key::from_bytes([1; 16])
    }

    fn write(disk: &Disk, name: &str, entries: &[Entry], at_most: u64) -> Arc<Run> {
        let mut writer = RunWriter::new(disk.create(name).unwrap(), key(), &(1..=u64::MAX), at_most);
        for entry in entries {
            writer.push(*entry).unwrap();
        }
        writer.finish().unwrap();
        Arc::new(Run::open(disk.open(name).unwrap()).unwrap())
    }

    fn entries(count: u64) -> Vec<Entry> {
        let mut entries: Vec<_> =
            (1..=count).map(|seq| Entry { hash: key().hash(&seq.to_string()), seq }).collect();
        entries.sort_unstable();
        entries
    }

    #[test]
    fn every_id_is_found_and_no_other_at_sizes_around_every_boundary() {
        let disk = Disk::default();
        for count in [0, 1, 2, 63, 64, 65, 169, 170, 171, 340, 5_000, 140_000] {
            let run = write(&disk, "run", &entries(count), count);
            assert_eq!(run.entries(), count);
            let step = usize::try_from(count / 500 + 1).unwrap();
            for seq in (1..=count).step_by(step).chain([count]).filter(|seq| *seq > 0) {
                let hash = key().hash(&seq.to_string());
                assert_eq!(run.find(hash, 0, Wait::Yes).unwrap(), Some(seq), "{seq} of {count}");
                assert_eq!(run.find(hash, seq, Wait::Yes).unwrap(), None, "{seq} of {count}");
                assert_eq!(run.find(hash ^ 1, 0, Wait::Yes).unwrap(), None);
            }
            assert_eq!(run.find(0, 0, Wait::Yes).unwrap(), None);
            assert_eq!(run.find(u128::MAX, 0, Wait::Yes).unwrap(), None);
        }
    }

    #[test]
    fn an_id_that_is_not_there_is_known_without_a_read_but_for_one_in_a_thousand() {
        let disk = Disk::default();
        let run = write(&disk, "run", &entries(140_000), 140_000);
        let before = disk.reads();
        for seq in 140_001..=150_000 {
            assert_eq!(run.find(key().hash(&seq.to_string()), 0, Wait::Yes).unwrap(), None);
        }
        assert!(disk.reads() - before < 40, "{} reads", disk.reads() - before);
        // What is there is read once, from one page.
        let (before, mut pages) = (disk.reads(), 0);
        for seq in (1..=140_000).step_by(100) {
            assert_eq!(run.find(key().hash(&seq.to_string()), 0, Wait::Yes).unwrap(), Some(seq));
            pages += 1;
        }
        assert_eq!(disk.reads() - before, pages);
    }

    #[test]
    fn a_run_of_very_many_entries_has_no_marks_and_answers_the_same() {
        let run = write(&Disk::default(), "run", &entries(5_000), MOST_MARKS + 1);
        assert!(run.marks.is_empty());
        for seq in (1..=5_000).step_by(7) {
            let hash = key().hash(&seq.to_string());
            assert_eq!(run.find(hash, 0, Wait::Yes).unwrap(), Some(seq));
            assert_eq!(run.find(hash ^ 1, 0, Wait::Yes).unwrap(), None);
        }
    }

    #[test]
    fn more_entries_than_promised_are_refused() {
        let mut writer =
            RunWriter::new(Disk::default().create("run").unwrap(), key(), &(1..=u64::MAX), PER_MARKS);
        let refused = entries(PER_MARKS + 1).into_iter().find_map(|entry| writer.push(entry).err());
        assert!(refused.is_some());
    }

    #[test]
    fn fewer_entries_than_promised_are_fine() {
        let run = write(&Disk::default(), "run", &entries(100), 1_000_000);
        assert_eq!(run.find(key().hash("77"), 0, Wait::Yes).unwrap(), Some(77));
        assert_eq!(run.find(key().hash("101"), 0, Wait::Yes).unwrap(), None);
    }

    #[test]
    fn an_id_that_was_published_very_often_is_found_from_any_floor() {
        let hash = key().hash("again");
        let mut all = entries(3_000);
        all.extend((10_000..20_000).map(|seq| Entry { hash, seq }));
        all.sort_unstable();
        let run = write(&Disk::default(), "run", &all, 13_000);
        for floor in [0, 9_999, 10_000, 12_345, 19_998] {
            assert_eq!(run.find(hash, floor, Wait::Yes).unwrap(), Some(10_000.max(floor + 1)), "{floor}");
        }
        assert_eq!(run.find(hash, 19_999, Wait::Yes).unwrap(), None);
        assert_eq!(run.find(key().hash("2999"), 0, Wait::Yes).unwrap(), Some(2_999));
    }

    #[test]
    fn a_walk_sees_all_entries_in_order() {
        for count in [0, 1, 170, 16 * 170, 16 * 170 + 1, 10_000] {
            let all = entries(count);
            let mut walk = write(&Disk::default(), "run", &all, count).walk();
            let mut walked = Vec::new();
            while let Some(entry) = walk.next().unwrap() {
                walked.push(entry);
            }
            assert_eq!(walked, all);
        }
    }

    #[test]
    fn a_changed_byte_never_changes_an_answer() {
        let disk = Disk::default();
        let run = write(&disk, "run", &entries(400), 400);
        let size = run.size();
        for at in (0..size).step_by(37) {
            disk.flip("run", at);
            match Run::open(disk.open("run").unwrap()) {
                Err(RunError::Damaged(number)) => assert_eq!(number, at / PAGE as u64),
                Err(error) => panic!("{error}"),
                Ok(run) => {
                    for seq in (1..=400).step_by(9) {
                        match run.find(key().hash(&seq.to_string()), 0, Wait::Yes) {
                            Ok(found) => assert_eq!(found, Some(seq)),
                            Err(error) => assert!(matches!(error, RunError::Damaged(_)), "{error}"),
                        }
                    }
                }
            }
            disk.flip("run", at);
        }
    }
}
