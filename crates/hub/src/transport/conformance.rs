//! What every transport must do, as checks that any implementation can be put through.
//!
//! Each check tests an invariant that [`super`] states. A transport outside this crate implements [`Subject`] in its tests
//! and calls [`check`].
//!
//! ```
//! use std::sync::Arc;
//!
//! use petasos_hub::transport::conformance::{Subject, check};
//! use petasos_hub::transport::{BoxFuture, Memory, MemoryLimits, Transport};
//!
//! struct InMemory;
//!
//! impl Subject for InMemory {
//!     fn open<'a>(&'a self, _: &'a str, keep: Option<usize>) -> BoxFuture<'a, Result<Arc<dyn Transport>, String>> {
//!         let limits = MemoryLimits { max_events: keep.unwrap_or(usize::MAX), max_bytes: usize::MAX };
//!         Box::pin(async move { Ok(Arc::new(Memory::new(limits)) as Arc<dyn Transport>) })
//!     }
//!
//!     fn durable(&self) -> bool {
//!         false
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! assert_eq!(check(&InMemory).await, []);
//! # }
//! ```

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use petasos_protocol::{EventId, Topic, Update};

use super::{AppendError, BoxFuture, Follower, Seq, Stored, Transport};
use crate::event::Event;

/// Makes the transports that are checked.
pub trait Subject: Send + Sync {
    /// Opens the transport of this name, which is empty if it was never opened before. It keeps the newest `keep` events,
    /// or everything.
    fn open<'a>(
        &'a self,
        name: &'a str,
        keep: Option<usize>,
    ) -> BoxFuture<'a, Result<Arc<dyn Transport>, String>>;

    /// Whether what was appended under a name is there when it is opened again after it was closed.
    fn durable(&self) -> bool;
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The check that found it.
    pub check: &'static str,
    /// What is wrong.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.detail)
    }
}

/// Runs every check; returns what does not hold.
pub async fn check(subject: &dyn Subject) -> Vec<Violation> {
    let checks: [(&str, Checked<'_>); 10] = [
        ("numbers increase by one", Box::pin(numbers(subject))),
        ("the follower sees each event once, in order, in time", Box::pin(follower(subject))),
        ("what is shown was delivered", Box::pin(shown(subject))),
        ("events are read back as they were appended", Box::pin(fidelity(subject))),
        ("reads are contiguous and bounded", Box::pin(reads(subject))),
        ("the earliest event with an id is found", Box::pin(ids(subject))),
        ("what is too old goes from the front", Box::pin(retention(subject))),
        ("a publisher that goes away changes nothing", Box::pin(cancelled(subject))),
        ("nothing is accepted after the end", Box::pin(closed(subject))),
        ("what was acknowledged is there again", Box::pin(reopened(subject))),
    ];
    let mut violations = Vec::new();
    for (check, checked) in checks {
        if let Err(detail) = checked.await {
            violations.push(Violation { check, detail });
        }
    }
    violations
}

/// The longest id that there is (`petasos_protocol::EventId`).
const LONGEST_ID: usize = 256;

type Checked<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Ends a check unless something holds.
fn hold(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

#[expect(clippy::needless_pass_by_value, reason = "literals read better without a sign before them")]
fn same<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    hold(found == expected, || format!("{what} is {found:?}, not {expected:?}"))
}

fn event(id: &str, data: &str) -> Result<Arc<Event>, String> {
    let topic = Topic::new("https://example.com/books/1").map_err(|error| error.to_string())?;
    let id = EventId::new(id).map_err(|error| error.to_string())?;
    Ok(Arc::new(Event::new(id, &Update::new(topic).with_data(data))))
}

/// Appends events with the ids `from..=to`, one after the other.
async fn fill(transport: &dyn Transport, from: u64, to: u64) -> Result<(), String> {
    for number in from..=to {
        let seq = append(transport, &format!("urn:{number}")).await?;
        same("a sequence number", seq, Seq(number))?;
    }
    Ok(())
}

async fn append(transport: &dyn Transport, id: &str) -> Result<Seq, String> {
    transport.append(event(id, "some data")?).await.map_err(|error| format!("an append failed: {error}"))
}

async fn read(transport: &dyn Transport, after: u64, max_bytes: usize) -> Result<Vec<Stored>, String> {
    transport.read(Seq(after), max_bytes).await.map_err(|error| error.to_string())
}

async fn find(transport: &dyn Transport, id: &str) -> Result<Option<Seq>, String> {
    transport.find(id).await.map_err(|error| error.to_string())
}

/// Everything after a place, read in pieces.
async fn all(transport: &dyn Transport, after: u64, piece: usize) -> Result<Vec<Stored>, String> {
    let mut events: Vec<Stored> = Vec::new();
    let mut at = after;
    loop {
        let batch = read(transport, at, piece).await?;
        let Some(last) = batch.last() else { return Ok(events) };
        hold(last.seq > Seq(at), || format!("a read after {at} ends at {}", last.seq))?;
        at = last.seq.0;
        events.extend(batch);
    }
}

fn seqs(events: &[Stored]) -> Vec<u64> {
    events.iter().map(|stored| stored.seq.0).collect()
}

#[derive(Default)]
struct Recorder(Mutex<Vec<Stored>>);

impl Recorder {
    fn seen(&self) -> Vec<Stored> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn holds(&self, seq: Seq) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seq == Seq(0) || seen.last().is_some_and(|newest| newest.seq >= seq)
    }
}

impl Follower for Recorder {
    fn deliver(&self, stored: Stored) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(stored);
    }
}

/// What is shown to others was handed to the follower before: a subscription that has read so far goes on from there.
async fn shown(subject: &dyn Subject) -> Result<(), String> {
    let transport = subject.open("shown", None).await?;
    let recorder = Arc::new(Recorder::default());
    transport.follow(Arc::clone(&recorder) as Arc<dyn Follower>);
    let writer = Arc::clone(&transport);
    let writer = tokio::spawn(async move { fill(&*writer, 1, 500).await });
    let mut after = 0;
    while after < 500 {
        let newest = transport.bounds().newest;
        hold(recorder.holds(newest), || format!("{newest} was shown before it was delivered"))?;
        let events = read(&*transport, after, 4096).await?;
        after = events.last().map_or(after, |stored| stored.seq.0);
        hold(recorder.holds(Seq(after)), || format!("{after} was read before it was delivered"))?;
        tokio::task::yield_now().await;
    }
    writer.await.map_err(|error| error.to_string())??;
    transport.close().await;
    Ok(())
}

async fn numbers(subject: &dyn Subject) -> Result<(), String> {
    let transport = subject.open("numbers", None).await?;
    let empty = transport.bounds();
    same("the newest place of an empty history", empty.newest, Seq(0))?;
    same("the floor of an empty history", empty.floor, Seq(0))?;
    same("the newest id of an empty history", empty.newest_id, None)?;
    fill(&*transport, 1, 300).await?;
    let bounds = transport.bounds();
    same("the newest place", bounds.newest, Seq(300))?;
    same("the floor", bounds.floor, Seq(0))?;
    same("the newest id", bounds.newest_id.map(|id| id.to_string()), Some("urn:300".to_owned()))?;
    transport.close().await;
    Ok(())
}

async fn follower(subject: &dyn Subject) -> Result<(), String> {
    let transport = subject.open("follower", None).await?;
    fill(&*transport, 1, 3).await?;
    let recorder = Arc::new(Recorder::default());
    let before = transport.follow(Arc::clone(&recorder) as Arc<dyn Follower>);
    same("the newest place when the follower comes", before.newest, Seq(3))?;
    let mut tasks = tokio::task::JoinSet::new();
    for publisher in 0..16 {
        let (transport, recorder) = (Arc::clone(&transport), Arc::clone(&recorder));
        tasks.spawn(async move {
            for number in 0..25 {
                let seq = append(&*transport, &format!("urn:{publisher}:{number}")).await?;
                let delivered = recorder.seen().iter().any(|stored| stored.seq == seq);
                hold(delivered, || format!("{seq} was acknowledged before it was delivered"))?;
            }
            Ok::<_, String>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.map_err(|error| error.to_string())??;
    }
    let seen = recorder.seen();
    same("what the follower saw", seqs(&seen), (4..=403).collect())?;
    let held = all(&*transport, 3, 1000).await?;
    let equal = seen.iter().zip(&held).all(|(seen, held)| seen.event == held.event);
    hold(equal && held.len() == seen.len(), || "the follower saw other events than are held".to_owned())?;
    transport.close().await;
    Ok(())
}

async fn fidelity(subject: &dyn Subject) -> Result<(), String> {
    let transport = subject.open("fidelity", None).await?;
    let topic = |text: &str| Topic::new(text).map_err(|error| error.to_string());
    let long = "i".repeat(LONGEST_ID);
    let updates = [
        ("urn:plain", Update::new(topic("https://example.com/1")?).with_data("{}")),
        ("urn:empty", Update::new(topic("https://example.com/1")?)),
        (&long, Update::new(topic("t")?).with_data("a\nb\r\nc\n\n")),
        ("urn:private", Update::new(topic("t")?).with_private(true).with_alternate(topic("u\u{fc}")?)),
        ("\u{fc}", Update::new(topic("t")?).with_data("x".repeat(700_000))),
    ];
    let mut events = Vec::new();
    for (id, update) in updates {
        let id = EventId::new(id).map_err(|error| error.to_string())?;
        let event = Arc::new(Event::new(id, &update));
        transport.append(Arc::clone(&event)).await.map_err(|error| error.to_string())?;
        events.push(event);
    }
    for piece in [1, 1 << 20] {
        let held: Vec<Arc<Event>> =
            all(&*transport, 0, piece).await?.into_iter().map(|stored| stored.event).collect();
        hold(held == events, || "events came back changed".to_owned())?;
    }
    transport.close().await;
    Ok(())
}

async fn reads(subject: &dyn Subject) -> Result<(), String> {
    let transport = subject.open("reads", None).await?;
    same("a read of nothing", read(&*transport, 0, 1000).await?.len(), 0)?;
    fill(&*transport, 1, 500).await?;
    for after in [0, 1, 250, 498, 499] {
        let least = read(&*transport, after, 0).await?;
        same("a read of at least one event", seqs(&least), vec![after + 1])?;
        for piece in [1, 333, 4096, 1 << 20] {
            let events = all(&*transport, after, piece).await?;
            same("what follows a place", seqs(&events), (after + 1..=500).collect())?;
        }
        let some = read(&*transport, after, 1000).await?;
        let bytes: usize = some.iter().rev().skip(1).map(|stored| stored.event.frame().len()).sum();
        hold(bytes < 1000, || format!("a read of 1000 bytes went on after {bytes}"))?;
    }
    for after in [500, 501, u64::MAX] {
        same("a read after the newest event", read(&*transport, after, 1000).await?.len(), 0)?;
    }
    transport.close().await;
    Ok(())
}

async fn ids(subject: &dyn Subject) -> Result<(), String> {
    let transport = subject.open("ids", None).await?;
    fill(&*transport, 1, 200).await?;
    let repeated = append(&*transport, "urn:100").await?;
    same("the place of a repetition", repeated, Seq(201))?;
    for number in [1, 100, 200] {
        same("a place by id", find(&*transport, &format!("urn:{number}")).await?, Some(Seq(number)))?;
    }
    for unknown in ["urn:0", "urn:1 ", "", "URN:1", "urn:201", "\n", &"x".repeat(5000)] {
        same(&format!("the place of {unknown:?}"), find(&*transport, unknown).await?, None)?;
    }
    transport.close().await;
    Ok(())
}

async fn retention(subject: &dyn Subject) -> Result<(), String> {
    let transport = subject.open("retention", Some(100)).await?;
    fill(&*transport, 1, 60).await?;
    same("the place of a repetition", append(&*transport, "urn:60").await?, Seq(61))?;
    fill(&*transport, 62, 160).await?;
    let bounds = transport.bounds();
    same("the floor", bounds.floor, Seq(60))?;
    same("what is held", seqs(&all(&*transport, 0, 500).await?), (61..=160).collect())?;
    same(
        "what is held after a place that is gone",
        seqs(&all(&*transport, 30, 500).await?),
        (61..=160).collect(),
    )?;
    same("the place of what is gone", find(&*transport, "urn:59").await?, None)?;
    same(
        "the place of what is held twice, once the first is gone",
        find(&*transport, "urn:60").await?,
        Some(Seq(61)),
    )?;
    same("the place of what is held", find(&*transport, "urn:62").await?, Some(Seq(62)))?;
    fill(&*transport, 161, 2000).await?;
    same("the floor, later", transport.bounds().floor, Seq(1900))?;
    same("what is held, later", seqs(&all(&*transport, 0, 500).await?), (1901..=2000).collect())?;
    transport.close().await;
    Ok(())
}

async fn cancelled(subject: &dyn Subject) -> Result<(), String> {
    let transport = subject.open("cancelled", None).await?;
    let recorder = Arc::new(Recorder::default());
    transport.follow(Arc::clone(&recorder) as Arc<dyn Follower>);
    for number in 0..50 {
        let mut gone = transport.append(event(&format!("urn:gone:{number}"), "")?);
        poll_fn(|cx| {
            // Begun, and given up whatever it says.
            drop(gone.as_mut().poll(cx));
            Poll::Ready(())
        })
        .await;
        drop(gone);
        append(&*transport, &format!("urn:{number}")).await?;
    }
    let held = all(&*transport, 0, 1 << 20).await?;
    same("the numbers of what is held", seqs(&held), (1..=held.len() as u64).collect())?;
    same("what the follower saw", seqs(&recorder.seen()), seqs(&held))?;
    for number in 0..50 {
        let found = find(&*transport, &format!("urn:{number}")).await?;
        hold(found.is_some(), || format!("urn:{number} was acknowledged and is not there"))?;
    }
    transport.close().await;
    Ok(())
}

async fn closed(subject: &dyn Subject) -> Result<(), String> {
    let transport = subject.open("closed", None).await?;
    let recorder = Arc::new(Recorder::default());
    transport.follow(Arc::clone(&recorder) as Arc<dyn Follower>);
    fill(&*transport, 1, 5).await?;
    transport.close().await;
    let refused = transport.append(event("urn:6", "")?).await;
    same("an append after the end", refused, Err(AppendError::Closed))?;
    same("what the follower saw", seqs(&recorder.seen()), (1..=5).collect())?;
    // Twice is as good as once.
    transport.close().await;
    Ok(())
}

async fn reopened(subject: &dyn Subject) -> Result<(), String> {
    if !subject.durable() {
        return Ok(());
    }
    let mut newest = 0;
    for round in 1..=4 {
        let transport = subject.open("reopened", Some(150)).await?;
        same("the newest place after a restart", transport.bounds().newest, Seq(newest))?;
        let floor = newest.saturating_sub(150);
        same("what is there again", seqs(&all(&*transport, 0, 2000).await?), (floor + 1..=newest).collect())?;
        let id = transport.bounds().newest_id.map(|id| id.to_string());
        same("the newest id after a restart", id, (newest > 0).then(|| format!("urn:{newest}")))?;
        fill(&*transport, newest + 1, newest + 120).await?;
        newest += 120;
        for number in [newest - 119, newest - 60, newest] {
            let found = find(&*transport, &format!("urn:{number}")).await?;
            same(&format!("a place by id in round {round}"), found, Some(Seq(number)))?;
        }
        transport.close().await;
    }
    Ok(())
}
