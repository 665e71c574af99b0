//! From a directory, in whatever state a crash left it, to a history that can go on.
//!
//! Only the last segment is read. What it holds is made durable before anybody sees it: it may have been written and
//! never flushed. Everything that can be made again and does not fit is removed.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use petasos_protocol::EventId;

use super::config::{FileConfig, OpenError};
use super::header::{self, Header};
use super::ids::{Key, Run, SegmentIds};
use super::log::{Sealing, State};
use super::names::{self, Name};
use super::recover;
use super::segment::Segment;
use super::storage::{LogFile, Storage, write_all};

/// A history that is ready.
pub(super) struct Opened {
    pub(super) key: Key,
    pub(super) state: State,
    pub(super) last: Last,
}

/// The segment that is appended to.
pub(super) struct Last {
    pub(super) segment: Arc<Segment>,
    pub(super) file: Arc<dyn LogFile>,
    pub(super) events: u64,
}

pub(super) fn open(config: &FileConfig, storage: &dyn Storage) -> Result<Opened, OpenError> {
    let mut listing = Listing::read(storage)?;
    let Some((base, size)) = listing.segments.pop_last() else {
        listing.remove_derived(storage)?;
        return begin(config, storage);
    };
    let recovered = recover_last(storage, base, size)?;
    let sealed: VecDeque<Arc<Segment>> =
        listing.segments.iter().map(|(base, size)| Arc::new(Segment::sealed(*base, *size))).collect();
    let runs = usable_runs(storage, &listing.runs, &sealed, base, recovered.key)?;
    listing.remove_orphans(storage, base)?;
    let mut state = recovered.state;
    state.sealing = unindexed(&sealed, base, &runs);
    state.runs = runs.into();
    for segment in sealed.into_iter().rev() {
        state.segments.push_front(segment);
    }
    Ok(Opened { state, ..recovered })
}

/// The first segment of a history.
fn begin(config: &FileConfig, storage: &dyn Storage) -> Result<Opened, OpenError> {
    let (key, created) = (Key::random(), config.clock.unix_seconds());
    let header = Header { base: 1, created, key, previous_id: None };
    let doing = format!("make the first file of the history in {}", storage.describe());
    let file = create_segment(storage, &header).map_err(OpenError::storage(doing))?;
    let segment = Arc::new(Segment::new(1, header::SIZE as u64, created, Vec::new()));
    let state = State::new(Arc::clone(&segment), Arc::clone(&file), (0, None), SegmentIds::default());
    Ok(Opened { key, state, last: Last { segment, file, events: 0 } })
}

/// Makes a segment that has a whole header from the moment on in which it has its name.
pub(super) fn create_segment(storage: &dyn Storage, header: &Header) -> io::Result<Arc<dyn LogFile>> {
    let name = names::segment(header.base);
    let draft = names::draft(&name);
    let file = storage.create(&draft)?;
    write_all(&*file, &header.encode(), 0)?;
    file.sync()?;
    storage.rename(&draft, &name)?;
    storage.sync_names()?;
    Ok(file)
}

fn recover_last(storage: &dyn Storage, base: u64, size: u64) -> Result<Opened, OpenError> {
    let name = names::segment(base);
    let file = storage.open(&name).map_err(OpenError::storage(format!("open {name}")))?;
    let header = header_of(&*file, &name, base)?;
    let (mut ids, mut offsets) = (SegmentIds::default(), Vec::new());
    let (mut newest, mut newest_id) = (base - 1, header.previous_id.clone());
    let mut bad_id = None;
    let visited = recover::tail(&*file, size, &header, &mut |offset, record| {
        ids.insert(header.key.hash(record.id), record.seq);
        offsets.push(u32::try_from(offset).unwrap_or(u32::MAX));
        newest = record.seq;
        match EventId::new(record.id) {
            Ok(id) => newest_id = Some(id),
            Err(_) => bad_id = Some(offset),
        }
    });
    let end = visited.map_err(|error| OpenError::segment(name.clone(), error))?;
    if let Some(offset) = bad_id {
        return Err(OpenError::Corrupt { file: name, offset, reason: "its id is no event id".to_owned() });
    }
    if end < size {
        tracing::warn!(file = name, bytes = size - end, "what was never acknowledged is cut off");
        file.truncate(end).map_err(OpenError::storage(format!("cut {name}")))?;
    }
    file.sync().map_err(OpenError::storage(format!("flush {name}")))?;
    let events = offsets.len() as u64;
    let segment = Arc::new(Segment::new(base, end, header.created, offsets));
    let state = State::new(Arc::clone(&segment), Arc::clone(&file), (newest, newest_id), ids);
    Ok(Opened { key: header.key, state, last: Last { segment, file, events } })
}

fn header_of(file: &dyn LogFile, name: &str, base: u64) -> Result<Header, OpenError> {
    let header = recover::header(file).map_err(|error| OpenError::segment(name.to_owned(), error))?;
    if header.base != base || base == 0 {
        let reason = format!("it says that it begins with event {}", header.base);
        return Err(OpenError::Corrupt { file: name.to_owned(), offset: 16, reason });
    }
    Ok(header)
}

/// The runs that belong to sealed segments, disjoint, oldest first. A merge that a crash cut short leaves runs that a
/// larger one holds too; those are removed, and so is what is damaged.
fn usable_runs(
    storage: &dyn Storage,
    found: &[(u64, u64)],
    sealed: &VecDeque<Arc<Segment>>,
    last_base: u64,
    key: Key,
) -> Result<Vec<Arc<Run>>, OpenError> {
    let mut found = found.to_vec();
    found.sort_unstable_by_key(|(first, last)| (*first, u64::MAX - last));
    let oldest = sealed.front().map_or(last_base, |segment| segment.base);
    let mut runs: Vec<Arc<Run>> = Vec::new();
    let mut covered = 0;
    for (first, last) in found {
        let name = names::run(first, last);
        let wanted = first > covered && last >= oldest && last < last_base;
        match open_run(storage, &name, (first, last), key).filter(|_| wanted) {
            Some(run) => {
                covered = last;
                runs.push(Arc::new(run));
            }
            None => remove(storage, &name)?,
        }
    }
    Ok(runs)
}

fn open_run(storage: &dyn Storage, name: &str, range: (u64, u64), key: Key) -> Option<Run> {
    let run = storage.open(name).map_err(Into::into).and_then(Run::open);
    match run {
        Ok(run) if run.range() == (range.0..=range.1) && run.key() == key => Some(run),
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(file = name, %error, "an index is made again");
            None
        }
    }
}

/// The sealed segments whose ids no run has.
fn unindexed(sealed: &VecDeque<Arc<Segment>>, last_base: u64, runs: &[Arc<Run>]) -> VecDeque<Sealing> {
    let ends = sealed.iter().skip(1).map(|next| next.base).chain([last_base]);
    let all = sealed.iter().zip(ends);
    let missing = all.filter(|(segment, end)| {
        !runs.iter().any(|run| *run.range().start() <= segment.base && end - 1 <= *run.range().end())
    });
    missing.map(|(segment, end)| Sealing { segment: Arc::clone(segment), last: end - 1, ids: None }).collect()
}

/// The files of a history by what they are.
#[derive(Debug, Default)]
struct Listing {
    /// Their sizes by their first events.
    segments: BTreeMap<u64, u64>,
    offsets: Vec<u64>,
    runs: Vec<(u64, u64)>,
    drafts: Vec<String>,
}

impl Listing {
    fn read(storage: &dyn Storage) -> Result<Self, OpenError> {
        let mut listing = Self::default();
        let files = storage
            .list()
            .map_err(OpenError::storage(format!("read the directory {}", storage.describe())))?;
        for (name, size) in files {
            match Name::parse(&name) {
                Some(Name::Segment { base }) => drop(listing.segments.insert(base, size)),
                Some(Name::Offsets { base }) => listing.offsets.push(base),
                Some(Name::Run { first, last }) => listing.runs.push((first, last)),
                Some(Name::Draft) => listing.drafts.push(name),
                None => {}
            }
        }
        Ok(listing)
    }

    fn remove_orphans(&self, storage: &dyn Storage, last_base: u64) -> Result<(), OpenError> {
        for draft in &self.drafts {
            remove(storage, draft)?;
        }
        // The last segment is not sealed: a file of its offsets is of a segment that was there before it.
        let orphans =
            self.offsets.iter().filter(|base| !self.segments.contains_key(base) || **base == last_base);
        for base in orphans {
            remove(storage, &names::offsets(*base))?;
        }
        Ok(())
    }

    fn remove_derived(&self, storage: &dyn Storage) -> Result<(), OpenError> {
        self.remove_orphans(storage, 0)?;
        for (first, last) in &self.runs {
            remove(storage, &names::run(*first, *last))?;
        }
        Ok(())
    }
}

fn remove(storage: &dyn Storage, name: &str) -> Result<(), OpenError> {
    match storage.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(OpenError::Storage { doing: format!("remove {name}"), source: error })
        }
        _ => Ok(()),
    }
}
