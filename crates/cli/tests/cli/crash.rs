//! The hub is killed again and again while many publish: what it acknowledged is there afterwards, whole, in order, once.
//!
//! Every wait is for an event: the hub is killed after a number of requests and answers that a seed decides, so that it dies
//! at any stage of a publish. What nobody was told of may be there or not; whoever saw it live is right in any case.

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use petasos_client::token::{Secret, mint};
use petasos_protocol::Matcher;
use petasos_protocol::token::ClaimsBuilder;
use petasos_testkit::http::finish;
use petasos_testkit::{Process, Stream};

use crate::support::SECRET;

#[test]
fn killed_again_and_again_it_keeps_what_it_acknowledged() {
    Lane::new(1, &[]).run();
}

#[test]
fn killed_while_it_removes_what_is_too_old_it_keeps_the_rest() {
    Lane::new(2, &["--history-max-bytes", "1MiB"]).run();
}

#[test]
fn killed_without_having_flushed_it_keeps_what_it_acknowledged() {
    Lane::new(3, &["--durability", "os"]).run();
}

/// For each of the tests: more than 200 together.
const ROUNDS: u64 = 75;
const PUBLISHERS: u64 = 8;

/// A hub with a history of its own, and what is known of it.
struct Lane {
    seed: u64,
    options: &'static [&'static str],
    folder: tempfile::TempDir,
    /// Ids of the history, oldest first, as far as they were read.
    known: Vec<String>,
}

/// When an update was sent and when its answer came, by one clock that counts both.
#[derive(Clone, Copy, Debug)]
struct Sent {
    begun: u64,
    acknowledged: Option<u64>,
}

impl Lane {
    fn new(seed: u64, options: &'static [&'static str]) -> Self {
        Self { seed, options, folder: tempfile::tempdir().unwrap(), known: Vec::new() }
    }

    fn run(mut self) {
        let mut dice = Dice(self.seed);
        for round in 0..ROUNDS {
            if dice.below(4) == 0 {
                // While it recovers.
                drop(self.spawn());
            }
            let events = 1 + dice.below(120);
            let sent = self.publish_until_killed(round, events);
            self.check(round, &sent);
        }
        self.check_all();
    }

    fn spawn(&self) -> Process {
        let common =
            ["hub", "--listen", "127.0.0.1:0", "--admin-listen", "off", "--transport", "file:history"];
        let variables = [("MERCURE_PUBLISHER_JWT_KEY", SECRET)];
        Process::start("petasos", &[&common, self.options].concat(), &variables, self.folder.path()).unwrap()
    }

    fn start(&self) -> Hub {
        let mut process = self.spawn();
        let url = process.url("hub").unwrap();
        Hub { token: token(&url), process, url }
    }

    /// Publishes from many sides and kills the hub after so many requests and answers; returns what was sent, and what a
    /// subscriber saw.
    fn publish_until_killed(&self, round: u64, events: u64) -> Outcome {
        let mut hub = self.start();
        let live = hub.subscribe("match=*");
        let watching = thread::spawn(move || watch(live));
        let (clock, sent) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(HashMap::new())));
        let (tell, told) = channel();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|number| {
                let publisher = Publisher {
                    connection: hub.connect(),
                    head: hub.head(),
                    name: format!("urn:{round}:{number}"),
                    clock: Arc::clone(&clock),
                    sent: Arc::clone(&sent),
                    tell: tell.clone(),
                };
                thread::spawn(move || publisher.run())
            })
            .collect();
        drop(tell);
        let came = told.iter().take(usize::try_from(events).unwrap()).count() as u64;
        let said = hub.process.kill().unwrap();
        assert_eq!(came, events, "the hub ended by itself: {said}");
        for publisher in publishers {
            publisher.join().unwrap();
        }
        let sent = std::mem::take(&mut *sent.lock().unwrap());
        Outcome { sent, seen: watching.join().unwrap() }
    }

    /// Starts the hub again and reads what the last round has added.
    fn check(&mut self, round: u64, outcome: &Outcome) {
        let hub = self.start();
        let end = format!("urn:{round}:end");
        hub.publish(&end);
        let cursor = self.known.last().map_or("earliest", String::as_str);
        let mut stream = hub.subscribe(&format!("match=*&last_event_id={cursor}"));
        let mut added = Vec::new();
        loop {
            let event = stream.next_event().unwrap();
            let id = event.id.unwrap();
            assert_eq!(event.data, data(&id), "{id} is not what was published");
            if id == end {
                break;
            }
            added.push(id);
        }
        outcome.check(&added);
        self.known.append(&mut added);
        self.known.push(end);
    }

    /// Everything is still there as it was after each round, or the newest part of it if less is kept.
    fn check_all(&self) {
        let hub = self.start();
        let mut stream = hub.subscribe("match=*&last_event_id=earliest");
        let last = self.known.last().unwrap();
        let mut held = Vec::new();
        while held.last() != Some(last) {
            held.push(stream.next_event().unwrap().id.unwrap());
        }
        let limited = self.options.contains(&"--history-max-bytes");
        assert!(self.known.ends_with(&held), "the history has changed");
        assert_eq!(held.len() < self.known.len(), limited, "{} of {}", held.len(), self.known.len());
        let files = std::fs::read_dir(self.folder.path().join("history")).unwrap();
        let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(!limited || bytes < 3 << 20, "{bytes} bytes are kept");
    }
}

struct Outcome {
    sent: HashMap<String, Sent>,
    /// What a subscriber saw live.
    seen: Vec<String>,
}

impl Outcome {
    fn check(&self, added: &[String]) {
        let places: HashMap<&str, usize> =
            added.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
        assert_eq!(places.len(), added.len(), "something is there twice: {added:?}");
        for (id, sent) in &self.sent {
            assert!(sent.acknowledged.is_none() || places.contains_key(id.as_str()), "{id} is lost");
        }
        // Whatever was acknowledged before another publish began stands before it.
        let mut latest_begin = 0;
        for id in added {
            assert!(self.sent.contains_key(id), "nobody published {id}");
            let sent = self.sent[id];
            let after = sent.acknowledged.is_none_or(|acknowledged| acknowledged > latest_begin);
            assert!(after, "{id} stands after what was published later");
            latest_begin = latest_begin.max(sent.begun);
        }
        assert!(added.starts_with(&self.seen), "a subscriber saw what is not there: {:?}", self.seen);
    }
}

struct Hub {
    process: Process,
    url: String,
    token: String,
}

impl Hub {
    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap().split('/').next().unwrap()
    }

    fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(self.address()).unwrap();
        connection.set_read_timeout(Some(petasos_testkit::PATIENCE)).unwrap();
        connection.set_nodelay(true).unwrap();
        connection
    }

    fn head(&self) -> String {
        format!(
            "POST /.well-known/mercure HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             content-type: application/x-www-form-urlencoded\r\n",
            self.address(),
            self.token
        )
    }

    fn publish(&self, id: &str) {
        let (mut connection, head) = (self.connect(), self.head());
        connection.write_all(request(&head, id).as_bytes()).unwrap();
        assert_eq!(finish(&mut connection).unwrap().status, 200);
    }

    fn subscribe(&self, query: &str) -> Stream {
        let bearer = format!("Bearer {}", self.token);
        Stream::open(&format!("{}?{query}", self.url), &[("authorization", &bearer)]).unwrap()
    }
}

/// One update after the other, until the hub is gone.
struct Publisher {
    connection: TcpStream,
    head: String,
    name: String,
    clock: Arc<AtomicU64>,
    sent: Arc<Mutex<HashMap<String, Sent>>>,
    /// Says that a request has been sent or an answer has come.
    tell: Sender<()>,
}

impl Publisher {
    fn run(mut self) {
        for number in 0.. {
            let id = format!("{}:{number}", self.name);
            let begun = self.tick();
            self.note(&id, Sent { begun, acknowledged: None });
            if self.connection.write_all(request(&self.head, &id).as_bytes()).is_err() {
                return;
            }
            self.tell.send(()).unwrap();
            let Ok(answer) = finish(&mut self.connection) else { return };
            assert_eq!(answer.status, 200);
            let acknowledged = Some(self.tick());
            self.note(&id, Sent { begun, acknowledged });
            self.tell.send(()).unwrap();
        }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn note(&self, id: &str, sent: Sent) {
        self.sent.lock().unwrap().insert(id.to_owned(), sent);
    }
}

/// Ids that come until the stream breaks off.
fn watch(mut stream: Stream) -> Vec<String> {
    let mut seen = Vec::new();
    while let Ok(event) = stream.next_event() {
        let id = event.id.unwrap();
        assert_eq!(event.data, data(&id));
        seen.push(id);
    }
    seen
}

fn request(head: &str, id: &str) -> String {
    let form = format!(
        "topic=https://example.com/books/1&private=on&id={id}&data={}",
        data(id).replace('\n', "%0A")
    );
    format!("{head}content-length: {}\r\n\r\n{form}", form.len())
}

/// What is published under an id: a few bytes or a few thousand, in some lines.
fn data(id: &str) -> String {
    let mut dice = Dice(id.bytes().fold(7, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte)));
    let lines = 1 + dice.below(3);
    let most = if dice.below(8) == 0 { 3000 } else { 200 };
    let lines: Vec<String> = (0..lines)
        .map(|line| format!("{id}.{line}.").repeat(1 + usize::try_from(dice.below(most) / 10).unwrap()))
        .collect();
    lines.join("\n")
}

fn token(hub: &str) -> String {
    let claims = ClaimsBuilder::new(hub, &[hub]).publish(&Matcher::any()).subscribe(&Matcher::any());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    mint(&Secret::new(SECRET.as_bytes()).unwrap(), &claims.build(now, now + 3600)).unwrap()
}

/// Enough of randomness, and the same at each run (a linear congruence).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
