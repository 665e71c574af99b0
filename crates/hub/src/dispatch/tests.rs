//! A shard on scripted sockets and a clock that stands still until it is moved: partial writes, stalls, cut-offs,
//! the hand-over from history to live, and order, without a network.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use petasos_protocol::{EventId, HubUrl, Matcher, Topic, Update, sse};
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::backlog::BacklogLimits;
use super::command::{Attach, Command, ShardConfig, Target};
use super::inbox::{Inbox, Wake};
use super::poll::{Poller, Ready, Socket};
use super::shard::Shard;
use super::{Interest, Metrics, Slot};
use crate::clock::Clock;
use crate::event::Event;
use crate::transport::{Seq, Stored};

/// What a scripted socket does and what reached its other end.
#[derive(Debug, Default)]
struct Wire {
    /// Bytes that it takes before it is full.
    room: usize,
    received: Vec<u8>,
    input: VecDeque<Option<Vec<u8>>>,
    broken: bool,
    finished: bool,
    dropped: bool,
    token: Option<u64>,
}

struct Fake(Arc<Mutex<Wire>>);

impl Socket for Fake {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut wire = self.0.lock().unwrap();
        if wire.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = bytes.len().min(wire.room);
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        wire.room -= count;
        wire.received.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.lock().unwrap().input.pop_front() {
            None => Err(io::ErrorKind::WouldBlock.into()),
            Some(None) => Ok(0),
            Some(Some(bytes)) => {
                into[..bytes.len()].copy_from_slice(&bytes);
                Ok(bytes.len())
            }
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().finished = true;
        Ok(())
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.0.lock().unwrap().dropped = true;
    }
}

#[derive(Clone, Default)]
struct Script(Arc<Mutex<Vec<Ready>>>);

impl Poller for Script {
    type Socket = Fake;

    fn register(&mut self, socket: &mut Fake, token: u64) -> io::Result<()> {
        socket.0.lock().unwrap().token = Some(token);
        Ok(())
    }

    fn deregister(&mut self, socket: &mut Fake) -> io::Result<()> {
        socket.0.lock().unwrap().token = None;
        Ok(())
    }

    fn wait(&mut self, _: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        ready.append(&mut self.0.lock().unwrap());
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    fn monotonic_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn unix_seconds(&self) -> u64 {
        1_800_000_000 + self.monotonic_ms() / 1000
    }
}

struct NoWake;

impl Wake for NoWake {
    fn wake(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A shard that turns when told to.
struct Bench {
    shard: Shard<Script>,
    inbox: Arc<Inbox<Command<Fake>>>,
    script: Script,
    clock: Hand,
    metrics: Arc<Metrics>,
    commands: Vec<Command<Fake>>,
    seq: u64,
    sent: Vec<Stored>,
}

const LIMITS: BacklogLimits =
    BacklogLimits { max_bytes: 4000, max_frames: 20, max_stall_ms: 10_000, max_total: 20_000 };

impl Bench {
    fn new() -> Self {
        let inbox = Arc::new(Inbox::new(NoWake));
        let (script, clock, metrics) = (Script::default(), Hand::default(), Arc::new(Metrics::default()));
        let config = ShardConfig { hub: hub(), heartbeat: 40, limits: LIMITS };
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let shard =
            Shard::new(config, shared, Arc::clone(&metrics), script.clone(), Arc::clone(&inbox), Seq(0));
        Self { shard, inbox, script, clock, metrics, commands: Vec::new(), seq: 0, sent: Vec::new() }
    }

    fn turn(&mut self) {
        self.shard.turn(&mut self.commands);
    }

    fn tell(&self, command: Command<Fake>) {
        assert!(self.inbox.push(command).is_ok(), "the shard has ended");
    }

    fn publish(&mut self, topic: &str, data: &str) -> Bytes {
        self.seq += 1;
        let update = Update::new(Topic::new(topic).unwrap()).with_data(data);
        let event = Event::new(EventId::new(&format!("urn:{}", self.seq)).unwrap(), &update);
        let frame = event.frame().clone();
        let stored = Stored { seq: Seq(self.seq), event: Arc::new(event) };
        self.sent.push(stored.clone());
        self.tell(Command::Deliver(stored, 0));
        frame
    }

    fn attach(&mut self, matcher: Matcher, room: usize) -> Arc<Mutex<Wire>> {
        let wire = Arc::new(Mutex::new(Wire { room, ..Wire::default() }));
        self.attach_with(matcher, None, None, Target::Socket(Fake(Arc::clone(&wire)), None));
        wire
    }

    fn attach_with(
        &mut self,
        matcher: Matcher,
        after: Option<Seq>,
        expires: Option<u64>,
        target: Target<Fake>,
    ) {
        let interest = Arc::new(Interest::new(vec![matcher], Arc::from([])));
        let attach = Attach { interest, after, expires, first: Bytes::new(), target, guard: None };
        self.tell(Command::Attach(Box::new(attach)));
        self.turn();
    }

    fn signal(&mut self, wire: &Arc<Mutex<Wire>>, event: impl FnOnce(&mut Ready)) {
        let mut ready = Ready { token: wire.lock().unwrap().token.unwrap(), ..Ready::default() };
        event(&mut ready);
        self.script.0.lock().unwrap().push(ready);
        self.turn();
    }

    fn advance(&mut self, ms: u64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
        self.turn();
    }
}

fn hub() -> HubUrl {
    HubUrl::parse("https://example.com/.well-known/mercure").unwrap()
}

fn received(wire: &Arc<Mutex<Wire>>) -> Vec<u8> {
    wire.lock().unwrap().received.clone()
}

fn is_dropped(wire: &Arc<Mutex<Wire>>) -> bool {
    wire.lock().unwrap().dropped
}

const MANY: usize = 1 << 20;
const TOPIC: &str = "https://example.com/books/1";

#[test]
fn updates_that_queue_meanwhile_share_one_write() {
    let mut bench = Bench::new();
    let wire = bench.attach(Matcher::any(), MANY);
    let expected = [bench.publish(TOPIC, "a"), bench.publish(TOPIC, "b"), bench.publish(TOPIC, "c")].concat();
    bench.turn();
    assert_eq!(received(&wire), expected);
    assert_eq!((bench.metrics.deliveries_total.value(), bench.metrics.joined_total.value()), (3, 3));
}

#[test]
fn everyone_is_released_some_at_a_time_those_who_come_meanwhile_too() {
    let mut bench = Bench::new();
    let mut wires: Vec<_> = (0..5).map(|_| bench.attach(Matcher::any(), MANY)).collect();
    let gone = wires.remove(0);
    for left in [2, 0] {
        bench.tell(Command::Release(2));
        bench.turn();
        if left == 2 {
            // It is among those whose turn comes, and leaves by itself.
            bench.signal(&gone, |ready| ready.closed = true);
            wires.push(bench.attach(Matcher::any(), MANY));
        }
    }
    bench.tell(Command::Release(2));
    bench.turn();
    assert_eq!(bench.metrics.subscribers.value(), 0);
    for wire in wires {
        assert!(received(&wire).starts_with(b"retry: ") && wire.lock().unwrap().finished);
    }
}

#[test]
fn a_subscriber_gets_what_it_asked_for_and_an_update_once() {
    let mut bench = Bench::new();
    let exact = bench.attach(Matcher::exact(TOPIC).unwrap(), MANY);
    let pattern = bench.attach(Matcher::url_pattern("/books/:id", &hub()).unwrap(), MANY);
    let other = bench.attach(Matcher::exact("https://example.com/books/2").unwrap(), MANY);
    let frame = bench.publish(TOPIC, "x");
    bench.turn();
    assert_eq!(received(&exact), frame);
    assert_eq!(received(&pattern), frame);
    assert!(received(&other).is_empty());
    assert_eq!(bench.metrics.classes.value(), 3);
}

#[test]
fn a_full_socket_holds_back_nobody_and_continues_where_it_stopped() {
    let mut bench = Bench::new();
    let slow = bench.attach(Matcher::any(), 10);
    let quick = bench.attach(Matcher::any(), MANY);
    let expected = [bench.publish(TOPIC, "first"), bench.publish(TOPIC, "second")].concat();
    bench.turn();
    assert_eq!(received(&quick), expected);
    assert_eq!(received(&slow), expected[..10]);
    slow.lock().unwrap().room = MANY;
    bench.signal(&slow, |ready| ready.writable = true);
    assert_eq!(received(&slow), expected);
    assert!(!is_dropped(&slow));
}

#[test]
fn a_slow_subscriber_is_cut_by_bytes_by_frames_and_by_time() {
    let mut bench = Bench::new();
    let bytes = bench.attach(Matcher::exact("https://example.com/bytes").unwrap(), 0);
    let frames = bench.attach(Matcher::exact("https://example.com/frames").unwrap(), 0);
    let time = bench.attach(Matcher::exact("https://example.com/time").unwrap(), 0);
    for _ in 0..5 {
        bench.publish("https://example.com/bytes", &"x".repeat(1000));
        bench.turn();
    }
    for _ in 0..21 {
        bench.publish("https://example.com/frames", "");
        bench.turn();
    }
    bench.publish("https://example.com/time", "x");
    bench.turn();
    assert!(is_dropped(&bytes) && is_dropped(&frames) && !is_dropped(&time));
    bench.advance(9_000);
    assert!(!is_dropped(&time));
    bench.advance(2_000);
    assert!(is_dropped(&time));
    let metrics = &bench.metrics;
    let cuts = [&metrics.cut_bytes_total, &metrics.cut_frames_total, &metrics.cut_stalled_total]
        .map(super::Counter::value);
    assert_eq!((cuts, metrics.subscribers.value(), metrics.classes.value()), ([1, 1, 1], 0, 0));
}

#[test]
fn those_with_most_waiting_are_cut_when_all_together_pin_too_much() {
    let mut bench = Bench::new();
    let topics: Vec<String> = (0..10).map(|number| format!("https://example.com/{number}")).collect();
    let stuck: Vec<_> = topics.iter().map(|topic| bench.attach(Matcher::exact(topic).unwrap(), 0)).collect();
    let healthy = bench.attach(Matcher::any(), MANY);
    let mut expected = Vec::new();
    for round in 0..3 {
        for topic in &topics[..if round == 2 { 4 } else { 10 }] {
            expected.extend_from_slice(&bench.publish(topic, &"x".repeat(900)));
            bench.turn();
        }
    }
    assert_eq!(received(&healthy), expected);
    let cut = stuck.iter().filter(|wire| is_dropped(wire)).count();
    assert!((1..=4).contains(&cut), "{cut}");
    assert!(stuck[4..].iter().all(|wire| !is_dropped(wire)), "those with less waiting stay");
    assert_eq!(bench.metrics.cut_budget_total.value(), cut as u64);
    bench.advance(1_000);
    assert!(bench.metrics.backlog_bytes.value() <= LIMITS.max_total as u64);
    bench.advance(20_000);
    assert_eq!(
        (bench.metrics.subscribers.value(), bench.metrics.cut_stalled_total.value()),
        (1, 10 - cut as u64)
    );
}

#[test]
fn nothing_is_held_for_the_last_one_who_has_left() {
    let mut bench = Bench::new();
    let wire = bench.attach(Matcher::any(), 0);
    bench.publish(TOPIC, &"x".repeat(900));
    bench.turn();
    bench.advance(1_000);
    assert!(bench.metrics.backlog_bytes.value() > 900);
    bench.signal(&wire, |ready| ready.closed = true);
    assert!(is_dropped(&wire));
    assert_eq!((bench.metrics.backlog_bytes.value(), bench.shard.listed()), (0, 0));
}

#[test]
fn a_subscriber_that_is_slow_now_and_then_is_listed_once() {
    let mut bench = Bench::new();
    let wire = bench.attach(Matcher::any(), 0);
    for _ in 0..50 {
        bench.publish(TOPIC, "x");
        bench.turn();
        wire.lock().unwrap().room = MANY;
        bench.signal(&wire, |ready| ready.writable = true);
        wire.lock().unwrap().room = 0;
        bench.advance(100);
    }
    assert!(!is_dropped(&wire));
    assert!(bench.shard.listed() <= 1);
}

#[test]
fn sub_8_comments_of_those_who_heard_the_same_event_are_spread() {
    let mut bench = Bench::new();
    let wires: Vec<_> = (0..110).map(|_| bench.attach(Matcher::any(), MANY)).collect();
    let frame = bench.publish(TOPIC, "x");
    bench.turn();
    let mut last = 0;
    for second in 1..=40 {
        bench.advance(1_000);
        let commented = wires.iter().filter(|wire| received(wire).len() > frame.len()).count();
        assert!(commented - last <= 10, "{} in second {second}", commented - last);
        last = commented;
    }
    assert_eq!(last, 110);
}

#[test]
fn sub_8_a_silent_stream_gets_a_comment() {
    let mut bench = Bench::new();
    let wire = bench.attach(Matcher::any(), MANY);
    bench.advance(39_000);
    assert!(received(&wire).is_empty());
    bench.advance(2_000);
    assert_eq!(received(&wire), sse::HEARTBEAT);
    bench.advance(41_000);
    assert_eq!(received(&wire), sse::HEARTBEAT.repeat(2));
}

#[test]
fn sub_10_a_stream_ends_at_its_time() {
    let mut bench = Bench::new();
    let wire = Arc::new(Mutex::new(Wire { room: MANY, ..Wire::default() }));
    bench.attach_with(Matcher::any(), None, Some(100), Target::Socket(Fake(Arc::clone(&wire)), None));
    for _ in 0..99 {
        bench.advance(1_000);
    }
    assert!(!is_dropped(&wire));
    bench.advance(1_000);
    assert!(is_dropped(&wire) && wire.lock().unwrap().finished);
}

#[test]
fn a_half_closed_subscriber_stays_and_a_gone_one_leaves_at_once() {
    let mut bench = Bench::new();
    let half = bench.attach(Matcher::any(), MANY);
    let gone = bench.attach(Matcher::any(), MANY);
    half.lock().unwrap().input.push_back(None);
    bench.signal(&half, |ready| ready.half_closed = true);
    gone.lock().unwrap().input.push_back(None);
    gone.lock().unwrap().broken = true;
    bench.signal(&gone, |ready| ready.half_closed = true);
    assert!(is_dropped(&gone) && !is_dropped(&half));
    let frame = bench.publish(TOPIC, "x");
    bench.turn();
    assert_eq!(received(&half), [sse::HEARTBEAT, &frame].concat());
}

#[test]
fn a_client_that_keeps_talking_is_cut() {
    let mut bench = Bench::new();
    let wire = bench.attach(Matcher::any(), MANY);
    for count in 1..=5 {
        wire.lock().unwrap().input.push_back(Some(vec![b'x'; 1000]));
        bench.signal(&wire, |ready| ready.readable = true);
        assert_eq!(is_dropped(&wire), count == 5);
    }
    assert_eq!(bench.metrics.cut_talks_total.value(), 1);
}

#[test]
fn rec_1_what_happened_during_the_replay_is_sent_before_what_follows() {
    let mut bench = Bench::new();
    let frames: Vec<Bytes> = (0..10).map(|number| bench.publish(TOPIC, &number.to_string())).collect();
    bench.turn();
    let wire = Arc::new(Mutex::new(Wire { room: MANY, ..Wire::default() }));
    bench.attach_with(Matcher::any(), Some(Seq(7)), None, Target::Socket(Fake(Arc::clone(&wire)), None));
    let last = bench.publish(TOPIC, "last");
    bench.turn();
    assert_eq!(received(&wire), [frames[7..].concat(), last.to_vec()].concat());
}

#[test]
fn a_subscriber_too_far_behind_gets_its_socket_back() {
    let mut bench = Bench::new();
    for _ in 0..1100 {
        bench.publish(TOPIC, "x");
    }
    bench.turn();
    let wire = Arc::new(Mutex::new(Wire { room: MANY, ..Wire::default() }));
    let (back, mut returned) = oneshot::channel();
    bench.attach_with(
        Matcher::any(),
        Some(Seq(1)),
        None,
        Target::Socket(Fake(Arc::clone(&wire)), Some(back)),
    );
    assert!(returned.try_recv().is_ok());
    assert_eq!(bench.metrics.subscribers.value(), 0);
    let slot = Arc::new(Slot::default());
    bench.attach_with(Matcher::any(), Some(Seq(1)), None, Target::Slot(Arc::clone(&slot)));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert_eq!(slot.poll(&mut cx), std::task::Poll::Ready(Err(super::End::Behind)));
}

#[test]
fn stopping_ends_every_stream_in_order() {
    let mut bench = Bench::new();
    let wires: Vec<_> = (0..5).map(|_| bench.attach(Matcher::any(), MANY)).collect();
    let frame = bench.publish(TOPIC, "x");
    bench.tell(Command::Stop);
    bench.turn();
    for wire in wires {
        assert_eq!(received(&wire), frame);
        assert!(is_dropped(&wire) && wire.lock().unwrap().finished);
    }
}

struct Count(Arc<AtomicU64>);

impl Wake for Count {
    fn wake(&self) -> io::Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn a_sleeping_shard_is_woken_once_for_many_commands() {
    let wakes = Arc::new(AtomicU64::new(0));
    let inbox = Inbox::new(Count(Arc::clone(&wakes)));
    assert!(inbox.push(1).is_ok());
    assert_eq!(wakes.load(Ordering::SeqCst), 0, "an awake shard needs no wake-up");
    assert!(!inbox.park(), "it must not sleep over a command");
    let mut taken = Vec::new();
    inbox.take(&mut taken);
    assert!(inbox.park());
    for command in 2..10 {
        assert!(inbox.push(command).is_ok());
    }
    assert_eq!(wakes.load(Ordering::SeqCst), 1);
    taken.clear();
    inbox.take(&mut taken);
    assert_eq!(taken, (2..10).collect::<Vec<_>>());
}

#[test]
fn a_closed_inbox_gives_back_what_nobody_will_see_to() {
    let inbox = Inbox::new(NoWake);
    assert!(inbox.push(1).is_ok());
    assert_eq!(inbox.close(), [1]);
    assert_eq!(inbox.push(2), Err(2));
}

#[test]
fn readiness_of_one_who_has_left_touches_nobody_who_took_the_place() {
    let mut bench = Bench::new();
    let gone = bench.attach(Matcher::any(), MANY);
    let stale = gone.lock().unwrap().token.unwrap();
    bench.signal(&gone, |ready| ready.closed = true);
    assert!(is_dropped(&gone));
    let heir = bench.attach(Matcher::any(), MANY);
    let token = heir.lock().unwrap().token.unwrap();
    assert_eq!(token & u64::from(u32::MAX), stale & u64::from(u32::MAX), "it got the same place");
    let event = Ready { token: stale, closed: true, half_closed: true, readable: true, writable: true };
    bench.script.0.lock().unwrap().push(event);
    bench.turn();
    assert!(!is_dropped(&heir));
    let frame = bench.publish(TOPIC, "x");
    bench.turn();
    assert_eq!(received(&heir), frame);
}

#[derive(Clone, Debug)]
enum Step {
    Publish(u8, usize),
    Attach(u8, usize, bool),
    Room(usize, usize),
    Break(usize),
    Detach(usize),
    Advance(u64),
    Turn,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3u8, 0..600usize).prop_map(|(topic, size)| Step::Publish(topic, size)),
        2 => (0..4u8, 0..2000usize, any::<bool>()).prop_map(|(topic, room, slot)| Step::Attach(topic, room, slot)),
        3 => (0..8usize, 1..3000usize).prop_map(|(which, room)| Step::Room(which, room)),
        1 => (0..8usize).prop_map(Step::Break),
        1 => (0..8usize).prop_map(Step::Detach),
        1 => (1..6000u64).prop_map(Step::Advance),
        4 => Just(Step::Turn),
    ]
}

/// A subscriber of the property test: where it began and what must reach it.
struct Peer {
    topic: u8,
    began: u64,
    wire: Arc<Mutex<Wire>>,
    slot: Option<Arc<Slot>>,
}

fn topic(number: u8) -> String {
    format!("https://example.com/{number}")
}

fn expected(bench: &Bench, peer: &Peer) -> Vec<u8> {
    let mine = |stored: &&Stored| {
        stored.seq.0 > peer.began
            && (peer.topic == 3 || stored.event.topics()[0].as_str() == topic(peer.topic))
    };
    bench.sent.iter().filter(mine).flat_map(|stored| stored.event.frame().to_vec()).collect()
}

/// What a peer received, without comments; the last one may have arrived in part.
fn events(received: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(received).replace("\n\n:\n\n", "\n\n");
    let text = text.strip_prefix(":\n\n").unwrap_or(&text);
    let tail = text.rfind("\n\n:").map_or(text.len(), |at| at + 2);
    let text = if text[tail..] == *":" || text[tail..] == *":\n" { &text[..tail] } else { text };
    if text == ":" || text == ":\n" { Vec::new() } else { text.as_bytes().to_vec() }
}

fn drain(peer: &Peer) {
    let Some(slot) = &peer.slot else { return };
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    while let std::task::Poll::Ready(result) = slot.poll(&mut cx) {
        match result {
            Ok(bytes) => peer.wire.lock().unwrap().received.extend_from_slice(&bytes),
            Err(_) => {
                peer.wire.lock().unwrap().dropped = true;
                return;
            }
        }
    }
}

fn apply(bench: &mut Bench, peers: &mut Vec<Peer>, step: &Step) {
    match *step {
        Step::Publish(number, size) => {
            bench.publish(&topic(number), &"x".repeat(size));
        }
        Step::Attach(number, room, with_slot) => {
            let matcher = if number == 3 { Matcher::any() } else { Matcher::exact(&topic(number)).unwrap() };
            let wire = Arc::new(Mutex::new(Wire { room, ..Wire::default() }));
            let slot = with_slot.then(|| Arc::new(Slot::default()));
            let target = match &slot {
                Some(slot) => Target::Slot(Arc::clone(slot)),
                None => Target::Socket(Fake(Arc::clone(&wire)), None),
            };
            let began = bench.seq;
            bench.attach_with(matcher, None, None, target);
            peers.push(Peer { topic: number, began, wire, slot });
        }
        Step::Room(which, room) => {
            let Some(peer) = peers.get(which) else { return };
            peer.wire.lock().unwrap().room += room;
            if peer.wire.lock().unwrap().token.is_some() {
                bench.signal(&Arc::clone(&peer.wire), |ready| ready.writable = true);
            }
            drain(peer);
        }
        Step::Break(which) => {
            if let Some(peer) = peers.get(which) {
                peer.wire.lock().unwrap().broken = true;
            }
        }
        Step::Detach(which) => {
            if let Some(slot) = peers.get(which).and_then(|peer| peer.slot.clone()) {
                bench.tell(Command::Detach(slot));
            }
        }
        Step::Advance(ms) => bench.advance(ms),
        Step::Turn => bench.turn(),
    }
}

proptest! {
    #[test]
    fn each_stream_is_a_prefix_of_what_was_published_cut_only_at_its_end(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let (mut bench, mut peers) = (Bench::new(), Vec::new());
        for step in &steps {
            apply(&mut bench, &mut peers, step);
            for peer in &peers {
                let whole = expected(&bench, peer);
                let got = events(&received(&peer.wire));
                prop_assert!(whole.starts_with(&got), "not a prefix");
            }
        }
        bench.turn();
        for peer in &peers {
            peer.wire.lock().unwrap().room = MANY;
            if peer.wire.lock().unwrap().token.is_some() {
                bench.signal(&Arc::clone(&peer.wire), |ready| ready.writable = true);
            }
            drain(peer);
            let ended = is_dropped(&peer.wire);
            let all = events(&received(&peer.wire)) == expected(&bench, peer);
            prop_assert!(ended || all, "a subscriber that is still there lacks something");
        }
        let there = peers.iter().filter(|peer| !is_dropped(&peer.wire)).count() as u64;
        prop_assert!(bench.metrics.subscribers.value() <= there);
    }
}
