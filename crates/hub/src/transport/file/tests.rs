//! The history against a model, against a disk that fails, and against crashes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use petasos_protocol::{EventId, Topic, Update};
use proptest::prelude::*;

use super::sim::{Disk, Fault};
use super::*;
use crate::clock::Clock;
use crate::transport::conformance::{self, Subject};

#[derive(Debug)]
struct Hand(AtomicU64);

impl Hand {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(1_800_000_000)))
    }

    fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn monotonic_ms(&self) -> u64 {
        self.unix_seconds() * 1000
    }

    fn unix_seconds(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn config(retention: Retention, clock: &Arc<Hand>) -> FileConfig {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    FileConfig::new("nowhere").retention(retention).segment_bytes(1).clock(clock)
}

fn open(disk: &Disk, config: FileConfig) -> Result<File, OpenError> {
    config.open_on(Arc::new(disk.clone()))
}

fn event(id: &str, size: usize) -> Arc<Event> {
    let update = Update::new(Topic::new("https://example.com/books/1").unwrap())
        .with_alternate(Topic::new("https://example.com/b\u{fc}cher").unwrap())
        .with_private(size.is_multiple_of(3))
        .with_data("x".repeat(size));
    Arc::new(Event::new(EventId::new(id).unwrap(), &update))
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn all(file: &File) -> Vec<Stored> {
    let (mut at, mut events) = (Seq(0), Vec::new());
    loop {
        let batch = file.read(at, 3_000).await.unwrap();
        let Some(last) = batch.last() else { return events };
        at = last.seq;
        events.extend(batch);
    }
}

async fn append(file: &File, id: &str, size: usize) -> Result<Seq, AppendError> {
    file.append(event(id, size)).await
}

struct OnDisks(Mutex<HashMap<String, Disk>>);

impl Subject for OnDisks {
    fn open<'a>(
        &'a self,
        name: &'a str,
        keep: Option<usize>,
    ) -> BoxFuture<'a, Result<Arc<dyn Transport>, String>> {
        let disk = self.0.lock().unwrap().entry(name.to_owned()).or_default().clone();
        let retention = Retention { max_events: keep.map(|keep| keep as u64), ..Retention::UNLIMITED };
        let file = open(&disk, config(retention, &Hand::new()));
        Box::pin(async move {
            file.map(|file| Arc::new(file) as Arc<dyn Transport>).map_err(|error| error.to_string())
        })
    }

    fn durable(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn it_conforms_with_the_smallest_segments() {
    assert_eq!(conformance::check(&OnDisks(Mutex::default())).await, []);
}

/// What happens to a history in the model test.
#[derive(Clone, Debug)]
enum Step {
    /// So many events at the same moment, of this size, with ids out of a few hundred.
    Append(Vec<(u16, u16)>),
    Read(u16, u16),
    Find(u16),
    Close,
    /// The process is killed; what it wrote stays.
    Kill,
    /// The power fails.
    PowerLoss(u64),
    Wait(u16),
    Tidy,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = prop_oneof![0u16..300, 0u16..9000];
    let step = prop_oneof![
        8 => prop::collection::vec((0u16..400, size), 1..40).prop_map(Step::Append),
        3 => (any::<u16>(), any::<u16>()).prop_map(|(after, bytes)| Step::Read(after, bytes)),
        3 => (0u16..450).prop_map(Step::Find),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
        1 => any::<u64>().prop_map(Step::PowerLoss),
        1 => (0u16..10).prop_map(Step::Wait),
        1 => Just(Step::Tidy),
    ];
    prop::collection::vec(step, 1..60)
}

/// The history as a `Vec`.
struct Model {
    disk: Disk,
    clock: Arc<Hand>,
    retention: Retention,
    file: File,
    /// Place `n` is at `n - 1`; with the second at which it was appended.
    events: Vec<(Arc<Event>, u64)>,
    floor: u64,
}

impl Model {
    fn new(retention: Retention) -> Self {
        let (disk, clock) = (Disk::default(), Hand::new());
        let file = open(&disk, config(retention, &clock)).unwrap();
        Self { disk, clock, retention, file, events: Vec::new(), floor: 0 }
    }

    async fn reopen(&mut self, disk: Disk) {
        self.file.close().await;
        self.file = open(&disk, config(self.retention, &self.clock)).unwrap();
        self.disk = disk;
        // That something went is no promise.
        self.floor = 0;
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Append(events) => {
                let now = self.clock.unix_seconds();
                let mut waiting = Vec::new();
                for (id, size) in events {
                    let event = event(&format!("urn:{id}"), usize::from(size));
                    self.events.push((Arc::clone(&event), now));
                    waiting.push((self.events.len() as u64, self.file.append(event)));
                }
                for (seq, append) in waiting {
                    assert_eq!(append.await, Ok(Seq(seq)));
                }
            }
            Step::Read(after, bytes) => self.check_read(u64::from(after), usize::from(bytes)).await,
            Step::Find(id) => self.check_find(&format!("urn:{id}")).await,
            Step::Close => {
                let floor = self.file.bounds().floor;
                self.file.close().await;
                assert!(self.disk.released());
                self.reopen(self.disk.clone()).await;
                assert!(self.file.bounds().floor >= floor, "what was gone is back");
            }
            Step::Kill => self.reopen(self.disk.killed()).await,
            Step::PowerLoss(seed) => self.reopen(self.disk.lost_power(seed)).await,
            Step::Wait(steps) => {
                for _ in 0..steps {
                    self.clock.forward(50);
                    self.file.tidy().await.unwrap();
                }
            }
            Step::Tidy => {
                self.file.tidy().await.unwrap();
                self.check_limits();
            }
        }
        self.check_bounds();
    }

    fn check_bounds(&mut self) {
        let bounds = self.file.bounds();
        assert_eq!(bounds.newest, Seq(self.events.len() as u64));
        assert_eq!(bounds.newest_id.as_ref(), self.events.last().map(|(event, _)| event.id()));
        assert!(bounds.floor.0 >= self.floor, "what was gone is back");
        self.floor = bounds.floor.0;
        if self.retention == Retention::UNLIMITED {
            assert_eq!(self.floor, 0);
        }
        if let Some(most) = self.retention.max_events {
            assert_eq!(self.floor, bounds.newest.0.saturating_sub(most), "too few or too many are held");
        }
    }

    /// After the keeper had its turn.
    fn check_limits(&self) {
        let floor = self.file.bounds().floor.0;
        if let Some(age) = self.retention.max_age {
            let oldest = self.clock.unix_seconds() - age.as_secs() - age.as_secs() / 8 - 1;
            let late =
                self.events.iter().skip(usize::try_from(floor).unwrap()).filter(|(_, at)| *at < oldest);
            assert_eq!(late.count(), 0, "events are held for too long");
        }
        if let Some(most) = self.retention.max_bytes {
            // One batch may come on top, and drafts of indexes.
            assert!(self.disk.used() as u64 <= most + 400_000, "{} bytes are used", self.disk.used());
        }
    }

    async fn check_read(&self, after: u64, bytes: usize) {
        let after = after % (self.events.len() as u64 + 2);
        let events = self.file.read(Seq(after), bytes).await.unwrap();
        let first = after.max(self.file.bounds().floor.0);
        assert_eq!(events.is_empty(), first >= self.events.len() as u64);
        for (stored, seq) in events.iter().zip(events.first().map_or(0, |stored| stored.seq.0)..) {
            assert!(seq > after);
            assert_eq!(stored.seq, Seq(seq));
            assert_eq!(stored.event, self.events[usize::try_from(seq).unwrap() - 1].0);
        }
    }

    async fn check_find(&self, id: &str) {
        // Retention works meanwhile: the answer is right for some floor between the two.
        let before = usize::try_from(self.file.bounds().floor.0).unwrap();
        let found = self.file.find(id).await.unwrap();
        let after = usize::try_from(self.file.bounds().floor.0).unwrap();
        let expected = |floor: usize| {
            let position = self.events[floor..].iter().position(|(event, _)| event.id().as_str() == id);
            position.map(|at| Seq((floor + at) as u64 + 1))
        };
        assert!((before..=after).any(|floor| expected(floor) == found), "{id} is at {found:?}");
    }

    async fn check_all(&self) {
        self.file.tidy().await.unwrap();
        let floor = usize::try_from(self.file.bounds().floor.0).unwrap();
        let held: Vec<Arc<Event>> = all(&self.file).await.into_iter().map(|stored| stored.event).collect();
        let expected: Vec<Arc<Event>> =
            self.events[floor..].iter().map(|(event, _)| Arc::clone(event)).collect();
        assert!(held == expected);
        for id in 0..450 {
            self.check_find(&format!("urn:{id}")).await;
        }
    }
}

fn retentions() -> impl Strategy<Value = Retention> {
    let none = Retention::UNLIMITED;
    prop_oneof![
        Just(none),
        Just(Retention { max_events: Some(100), ..none }),
        Just(Retention { max_age: Some(Duration::from_secs(800)), ..none }),
        Just(Retention { max_bytes: Some(100_000), ..none }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_is_a_vec_whatever_happens(retention in retentions(), steps in steps()) {
        run(async {
            let mut model = Model::new(retention);
            for step in steps {
                model.take(step).await;
            }
            model.check_all().await;
            model.file.close().await;
        });
    }

    #[test]
    fn recovery_takes_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2000), valid in any::<bool>()) {
        let header = super::header::Header {
            base: 1, created: 0, key: super::ids::Key::from_bytes([1; 16]), previous_id: None,
        };
        let prefix = if valid { header.encode().to_vec() } else { Vec::new() };
        if let Ok(recovered) = recover(&[prefix, bytes].concat()) {
            prop_assert_eq!(recovered.events, 0);
        }
    }
}

/// Publishes in rounds of several at a time until the disk fails; returns the ids that were acknowledged and those that
/// were refused, in the order in which they were offered.
async fn publish_until_trouble(file: &File, rounds: usize) -> (Vec<String>, Vec<(String, AppendError)>) {
    let (mut stored, mut refused) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let ids: Vec<String> = (0..7).map(|number| format!("urn:{round}:{number}")).collect();
        let waiting: Vec<_> = ids.iter().map(|id| file.append(event(id, 200))).collect();
        for (id, append) in ids.into_iter().zip(waiting) {
            match append.await {
                Ok(_) => stored.push(id),
                Err(error) => refused.push((id, error)),
            }
        }
    }
    (stored, refused)
}

fn is_subsequence<'a>(part: &[String], mut whole: impl Iterator<Item = &'a str>) -> bool {
    part.iter().all(|id| whole.any(|other| other == id))
}

/// One fault at every operation in turn, then a crash of either kind.
fn every_fault(fault: Fault) {
    run(async {
        let limits = Retention { max_events: Some(2_000), ..Retention::UNLIMITED };
        // Every operation at first, which has all kinds of them; then some.
        for after in (0..80).chain((80..).step_by(13)) {
            let (disk, clock) = (Disk::default(), Hand::new());
            disk.fail(after, fault);
            let Ok(file) = open(&disk, config(limits, &clock)) else { continue };
            let (stored, refused) = publish_until_trouble(&file, 20).await;
            let held = all(&file).await;
            let ids = || held.iter().map(|stored| stored.event.id().as_str());
            assert!(
                ids().eq(stored.iter().map(String::as_str)),
                "fault {after}: what is served was acknowledged"
            );
            // The keeper tries again what failed.
            if file.tidy().await.is_err() && file.health().is_ok() && fault != Fault::Dies {
                file.tidy().await.unwrap();
            }
            if file.health().is_ok() && fault != Fault::Dies && !disk.waits_for_fault() {
                append(&file, "urn:after", 10).await.unwrap();
            }
            let healed = file.health().is_ok();
            for crashed in [disk.killed(), disk.lost_power(after + 1)] {
                let again = open(&crashed, config(limits, &clock)).unwrap();
                let held = all(&again).await;
                let ids =
                    || held.iter().map(|stored| stored.event.id().as_str()).filter(|id| *id != "urn:after");
                assert!(is_subsequence(&stored, ids()), "fault {after}: an acknowledged event is lost");
                let numbers: Vec<u64> = held.iter().map(|stored| stored.seq.0).collect();
                assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
                // A history that goes on has taken back what it refused.
                let back = refused.iter().filter(|(id, _)| ids().any(|other| other == id)).count();
                assert!(back == 0 || !healed, "fault {after}: {back} refused events are there");
                assert!(again.append(event("urn:again", 10)).await.is_ok());
                for id in stored.iter().chain([&"urn:again".to_owned()]) {
                    assert!(again.find(id).await.unwrap().is_some(), "fault {after}: {id} is not found");
                }
                again.close().await;
            }
            file.close().await;
            if disk.waits_for_fault() {
                assert!(after > 60, "only {after} operations");
                return;
            }
        }
    });
}

#[test]
fn a_failing_operation_is_never_taken_for_success() {
    every_fault(Fault::Fails);
}

#[test]
fn a_short_write_is_completed() {
    every_fault(Fault::Short);
}

#[test]
fn half_a_write_is_taken_back() {
    every_fault(Fault::Half);
}

#[test]
fn a_flush_that_loses_data_ends_the_history() {
    every_fault(Fault::Lost);
}

#[test]
fn a_disk_that_dies_takes_nothing_with_it_that_was_acknowledged() {
    every_fault(Fault::Dies);
}

#[test]
fn after_a_failed_flush_nothing_is_accepted_until_a_restart() {
    run(async {
        let (disk, clock) = (Disk::default(), Hand::new());
        let file = open(&disk, config(Retention::UNLIMITED, &clock)).unwrap();
        assert_eq!(append(&file, "urn:1", 10).await, Ok(Seq(1)));
        disk.fail(1, Fault::Lost);
        for id in ["urn:2", "urn:3"] {
            let refused = append(&file, id, 10).await.unwrap_err();
            assert!(
                matches!(&refused, AppendError::Storage(reason) if reason.contains("restart the hub")),
                "{refused}"
            );
        }
        assert!(file.health().unwrap_err().contains("restart"));
        assert_eq!(file.bounds().newest, Seq(1));
        file.close().await;
        let again = open(&disk, config(Retention::UNLIMITED, &clock)).unwrap();
        assert_eq!(all(&again).await.len(), 1);
        assert_eq!(append(&again, "urn:4", 10).await, Ok(Seq(2)));
        again.close().await;
    });
}

#[test]
fn a_full_disk_refuses_and_recovers_by_itself() {
    run(async {
        let (disk, clock) = (Disk::default(), Hand::new());
        let settings = config(Retention::UNLIMITED, &clock).segment_bytes(1 << 20);
        let file = open(&disk, settings).unwrap();
        disk.set_space(Some(20_000));
        let mut stored = 0;
        let refused = loop {
            match append(&file, &format!("urn:{stored}"), 500).await {
                Ok(_) => stored += 1,
                Err(refused) => break refused,
            }
        };
        assert!(matches!(refused, AppendError::Full(_)), "{refused}");
        assert!(stored > 10);
        assert!(matches!(append(&file, "urn:x", 5_000).await, Err(AppendError::Full(_))));
        assert_eq!(all(&file).await.len(), stored);
        disk.set_space(None);
        assert!(append(&file, "urn:y", 5_000).await.is_ok());
        let again = open(&disk.killed(), config(Retention::UNLIMITED, &clock)).unwrap();
        assert_eq!(all(&again).await.len(), stored + 1);
        assert_eq!(again.find("urn:x").await.unwrap(), None);
        again.close().await;
        file.close().await;
    });
}

#[test]
fn a_torn_tail_is_cut_at_any_byte_and_damage_before_it_is_told() {
    run(async {
        let (disk, clock) = (Disk::default(), Hand::new());
        let settings = || config(Retention::UNLIMITED, &clock).segment_bytes(1 << 20);
        let file = open(&disk, settings()).unwrap();
        let sizes: Vec<u64> = {
            let mut sizes = vec![header::SIZE as u64];
            for number in 0..6 {
                append(&file, &format!("urn:{number}"), 100).await.unwrap();
                sizes.push(disk.open(&names::segment(1)).unwrap().size().unwrap());
            }
            sizes
        };
        file.close().await;
        let name = names::segment(1);
        for cut in sizes[0]..*sizes.last().unwrap() {
            let torn = disk.killed();
            torn.open(&name).unwrap().truncate(cut).unwrap();
            let again = open(&torn, settings()).unwrap();
            let whole = sizes.iter().filter(|size| **size <= cut).count() - 1;
            assert_eq!(all(&again).await.len(), whole, "cut at {cut}");
            assert_eq!(append(&again, "urn:next", 10).await, Ok(Seq(whole as u64 + 1)));
            again.close().await;
        }
        // The last record is the only one of which nobody says that it was durable.
        for at in 0..*sizes.last().unwrap() {
            let damaged = disk.killed();
            damaged.flip(&name, at);
            match open(&damaged, settings()) {
                Ok(again) => {
                    assert!(at >= sizes[sizes.len() - 2], "damage at {at} was taken for a torn tail");
                    assert_eq!(all(&again).await.len(), 5);
                    again.close().await;
                }
                Err(OpenError::Corrupt { .. } | OpenError::Future { .. }) => {
                    assert!(at < sizes[sizes.len() - 2], "a torn tail at {at} was taken for damage");
                }
                Err(other) => panic!("{other}"),
            }
        }
    });
}

#[test]
fn with_durability_os_what_was_acknowledged_survives_the_process() {
    run(async {
        let (disk, clock) = (Disk::default(), Hand::new());
        let settings = || config(Retention::UNLIMITED, &clock).durability(Durability::Os);
        let file = open(&disk, settings()).unwrap();
        for number in 0..200 {
            append(&file, &format!("urn:{number}"), 100).await.unwrap();
        }
        let again = open(&disk.killed(), settings()).unwrap();
        assert_eq!(all(&again).await.len(), 200);
        // The keeper flushes every second, and when it is asked.
        file.tidy().await.unwrap();
        for seed in 0..20 {
            let after = open(&disk.lost_power(seed), settings()).unwrap();
            assert_eq!(all(&after).await.len(), 200);
            after.close().await;
        }
        again.close().await;
        file.close().await;
    });
}

#[test]
fn indexes_that_are_gone_or_damaged_are_made_again() {
    run(async {
        let (disk, clock) = (Disk::default(), Hand::new());
        let file = open(&disk, config(Retention::UNLIMITED, &clock)).unwrap();
        for number in 0..400 {
            append(&file, &format!("urn:{number}"), 100).await.unwrap();
        }
        file.tidy().await.unwrap();
        file.close().await;
        for what in [".ids", ".off"] {
            for damage in [true, false] {
                let disk = disk.killed();
                for (name, _) in disk.list().unwrap().iter().filter(|(name, _)| name.ends_with(what)) {
                    if damage { disk.flip(name, 9) } else { disk.remove(name).unwrap() }
                }
                let again = open(&disk, config(Retention::UNLIMITED, &clock)).unwrap();
                for number in (0..400).step_by(17) {
                    let seq = again.find(&format!("urn:{number}")).await.unwrap();
                    assert_eq!(seq, Some(Seq(number + 1)), "{what} {damage}");
                    let next = again.read(Seq(number), 1).await.unwrap();
                    assert_eq!(next[0].event.id().as_str(), format!("urn:{number}"));
                }
                again.close().await;
            }
        }
    });
}

#[test]
fn the_end_waits_for_what_was_accepted_however_many_segments_that_takes() {
    run(async {
        let (disk, clock) = (Disk::default(), Hand::new());
        let file = open(&disk, config(Retention::UNLIMITED, &clock)).unwrap();
        // Each of them fills a batch and a segment.
        let appends: Vec<_> =
            (0..30).map(|number| file.append(event(&format!("urn:{number}"), 1 << 20))).collect();
        file.close().await;
        for append in appends {
            append.await.unwrap();
        }
        let again = open(&disk, config(Retention::UNLIMITED, &clock)).unwrap();
        assert_eq!(all(&again).await.len(), 30);
        again.close().await;
    });
}

#[test]
fn trimming_is_to_the_event_and_a_crash_meanwhile_leaves_a_history() {
    run(async {
        let (disk, clock) = (Disk::default(), Hand::new());
        let file = open(&disk, config(Retention::UNLIMITED, &clock)).unwrap();
        for number in 1..=300 {
            append(&file, &format!("urn:{number}"), 100).await.unwrap();
        }
        file.tidy().await.unwrap();
        file.close().await;
        let limits = Retention { max_events: Some(37), ..Retention::UNLIMITED };
        let trim = |disk: &Disk| trim::trim_on(&(Arc::new(disk.clone()) as Arc<dyn Storage>), &limits, 0);
        for after in 0.. {
            let disk = disk.killed();
            disk.fail(after, Fault::Dies);
            let done = trim(&disk);
            for crashed in [disk.killed(), disk.lost_power(after + 1)] {
                let again = open(&crashed, config(Retention::UNLIMITED, &clock)).unwrap();
                let held = all(&again).await;
                let first = 301 - held.len() as u64;
                assert!(first <= 264 && (done.is_err() || first == 264), "fault {after}: {first}");
                for (stored, number) in held.iter().zip(first..) {
                    let id = format!("urn:{number}");
                    assert_eq!((stored.seq, stored.event.id().as_str()), (Seq(number), id.as_str()));
                    assert_eq!(again.find(&id).await.unwrap(), Some(Seq(number)), "fault {after}");
                }
                again.close().await;
                let trimmed = trim(&crashed).unwrap();
                assert_eq!(
                    (trimmed.removed, trimmed.floor, trimmed.newest),
                    (264 - first, Seq(263), Seq(300))
                );
                let again = open(&crashed, config(Retention::UNLIMITED, &clock)).unwrap();
                assert_eq!(all(&again).await.len(), 37);
                assert_eq!(append(&again, "urn:301", 10).await, Ok(Seq(301)));
                again.close().await;
            }
            if !disk.waits_for_fault() && done.is_err() {
                continue;
            }
            assert!(after > 20, "only {after} operations");
            return;
        }
    });
}

#[test]
fn trimming_by_age_and_by_bytes_may_leave_nothing() {
    run(async {
        let (disk, clock) = (Disk::default(), Hand::new());
        let file = open(&disk, config(Retention::UNLIMITED, &clock).segment_bytes(1 << 20)).unwrap();
        for number in 1..=100 {
            append(&file, &format!("urn:{number}"), 100).await.unwrap();
            clock.forward(10);
        }
        file.close().await;
        let storage = Arc::new(disk.clone()) as Arc<dyn Storage>;
        let now = clock.unix_seconds();
        let trim = |limits, now| trim::trim_on(&storage, &limits, now).unwrap().floor;
        let none = Retention::UNLIMITED;
        let age = Retention { max_age: Some(Duration::from_secs(700)), ..none };
        assert_eq!(trim(age, now), Seq(30));
        let bytes = disk.used() as u64 / 2;
        let floor = trim(Retention { max_bytes: Some(bytes), ..none }, now);
        assert!((60..70).contains(&floor.0) && disk.used() as u64 <= bytes + header::SIZE as u64, "{floor}");
        assert_eq!(trim(Retention { max_events: Some(1000), ..none }, now), floor);
        assert_eq!(trim(age, now + 10_000), Seq(100));
        let file = open(&disk, config(none, &clock)).unwrap();
        let id = file.bounds().newest_id.map(|id| id.to_string());
        assert_eq!((all(&file).await.len(), id.as_deref()), (0, Some("urn:100")));
        assert_eq!(append(&file, "urn:101", 10).await, Ok(Seq(101)));
        file.close().await;
    });
}

#[test]
fn look_ups_ask_few_files_however_many_segments_there_are() {
    run(async {
        let (disk, clock) = (Disk::default(), Hand::new());
        let file = open(&disk, config(Retention::UNLIMITED, &clock)).unwrap();
        for number in 0..60 {
            let batch: Vec<_> =
                (0..60).map(|i| file.append(event(&format!("urn:{number}:{i}"), 60))).collect();
            for append in batch {
                append.await.unwrap();
            }
        }
        file.tidy().await.unwrap();
        let files = disk.list().unwrap();
        let count = |what: &str| files.iter().filter(|(name, _)| name.ends_with(what)).count();
        assert!(count(".log") > 50, "{} segments", count(".log"));
        assert!(count(".ids") < 16, "{} runs", count(".ids"));
        file.close().await;
    });
}
