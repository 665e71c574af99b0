//! Requests that nobody in their right mind sends.

use std::path::Path;

use petasos_conformance::{Hub, bearer, borrow, form, id, topic};
use serde_json::json;

/// A small generator of numbers: the same ones in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        // xorshift64*, which needs no crate.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| (self.next() >> 32) as u8).collect()
    }
}

const METHODS: &[&str] =
    &["GET", "POST", "QUERY", "HEAD", "OPTIONS", "PUT", "DELETE", "get", "PRI", "\u{e9}", ""];
const PATHS: &[&str] = &[
    "/.well-known/mercure",
    "/.well-known/mercure/subscriptions",
    "/.well-known/mercure/subscriptions/exact/%ff/x",
    "/.well-known/mercure/../mercure",
    "/.well-known/oauth-protected-resource/.well-known/mercure",
    "/",
    "*",
    "http://evil.example/.well-known/mercure",
    "",
];
const QUERIES: &[&str] = &[
    "",
    "?match=x",
    "?match=*&last_event_id=earliest",
    "?match_urlpattern=/((?:a+)%2b)b",
    "?match_urlpattern=https://[",
    "?matchx=1",
    "?match=%ff",
    "?%",
    "?&&&=&",
];
const HEADERS: &[&str] = &[
    "authorization: Bearer a.b.c",
    "authorization: Bearer",
    "authorization: Basic eA==",
    "cookie: __Secure-mercure_access_token=x; a",
    "content-type: application/x-www-form-urlencoded",
    "content-type: application/json",
    "content-length: 5",
    "content-length: -1",
    "content-length: 99999999999999999999",
    "transfer-encoding: chunked",
    "transfer-encoding: gzip, chunked",
    "last-event-id: \u{e9}",
    "host: evil.example",
    "expect: 100-continue",
    "upgrade: h2c",
    "connection: upgrade, close",
    "idempotency-key: x",
    "origin: null",
    "x: \u{1}",
    ": nothing",
    " folded",
];
const BODIES: &[&str] = &[
    "",
    "topic=x",
    "topic=*",
    "topic=x&id=%23",
    "5\r\ntopic\r\n0\r\n\r\n",
    "zz\r\n",
    "match=x",
    "\u{0}\u{0}",
];

fn request(numbers: &mut Numbers) -> Vec<u8> {
    if numbers.below(10) == 0 {
        return numbers.bytes(300);
    }
    let mut bytes = format!(
        "{} {}{} {}\r\n",
        numbers.pick(METHODS),
        numbers.pick(PATHS),
        numbers.pick(QUERIES),
        numbers.pick(&["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "X"]),
    );
    for _ in 0..numbers.below(6) {
        bytes.push_str(numbers.pick(HEADERS));
        bytes.push_str("\r\n");
    }
    bytes.push_str(numbers.pick(&["\r\n", "\r\n", "\r\n", "\n", ""]));
    bytes.push_str(numbers.pick(BODIES));
    let mut bytes = bytes.into_bytes();
    if numbers.below(3) == 0 && !bytes.is_empty() {
        let at = numbers.below(bytes.len());
        bytes[at] = (numbers.next() >> 32) as u8;
    }
    bytes
}

/// Sends requests, each on a connection of its own, and hangs up; none is waited for longer than its first bytes take.
fn send(hub: &Hub, numbers: &mut Numbers, count: usize) {
    for _ in 0..count {
        let mut connection = hub.connect();
        // The hub may hang up before all was sent, and then there is nothing to read.
        if connection.send(request(numbers)).is_ok() && connection.end().is_ok() {
            connection.until(b"\n").unwrap();
        }
    }
}

/// Resident memory of a process, in KiB.
fn memory(process: u32) -> u64 {
    let status =
        std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn ten_thousand_random_requests_leave_the_hub_as_it_was() {
    let Some(mut hub) = Hub::configured(&["--anonymous", "--subscriptions"]) else { return };
    let process = hub.process.as_ref().unwrap().id();
    let mut numbers = Numbers(0x5eed_0fab_05e5);
    // Caches fill and the allocator takes its arenas first.
    send(&hub, &mut numbers, 2_000);
    let before = memory(process);
    send(&hub, &mut numbers, 10_000);
    let after = memory(process);
    println!("resident: {before} KiB before, {after} KiB after");
    assert!(after < before + 8_192, "{before} KiB before, {after} KiB after");
    let name = topic("x");
    let mut stream = hub.subscribe(&[("match", &name)], &[]);
    let id = hub.publish(&[("topic", &name)]);
    assert_eq!(stream.next_event().unwrap().id, Some(id), "it works as before");
    drop(stream);
    let (code, said) = hub.process.as_mut().unwrap().stop().unwrap();
    assert_eq!(code, Some(0), "{said}");
    let lines = said.lines().count();
    assert!(
        lines < 10,
        "{lines} lines on standard error, for 12 000 requests: {}",
        said.lines().take(20).collect::<String>()
    );
    assert!(!said.contains("panicked") && !said.contains("ERROR"), "{said}");
}

#[test]
fn a_body_or_a_head_that_never_ends_is_cut_by_size() {
    let Some(hub) = Hub::configured(&["--anonymous", "--max-body", "1000"]) else { return };
    let host = &hub.origin()[7..];
    let endless = |head: &str, piece: &str| {
        let mut connection = hub.connect();
        connection.send(head).unwrap();
        // It hangs up in the end, whatever comes.
        for _ in 0..10_000 {
            if connection.send(piece).is_err() {
                break;
            }
        }
        connection.until(b"\r\n").unwrap()
    };
    let filler = format!("x: {}\r\n", "y".repeat(1000));
    let head = endless(&format!("GET /.well-known/mercure?match=x HTTP/1.1\r\nhost: {host}\r\n"), &filler);
    assert!(head.starts_with("HTTP/1.1 431 "), "{head:?}");
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
    let body = endless(
        &format!(
            "POST /.well-known/mercure HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n"
        ),
        &chunk,
    );
    assert!(body.starts_with("HTTP/1.1 413 "), "{body:?}");
}

#[test]
fn a_flood_of_bad_tokens_is_not_remembered_and_a_good_one_still_works() {
    let hub = Hub::get();
    let name = topic("x");
    for number in 0..500 {
        let token = bearer(&petasos_conformance::sign(
            &json!({"exp": number}),
            "another secret of at least 32 bytes, really",
        ));
        assert_eq!(hub.try_publish(&form(&[("topic", &name)]), &[borrow(&token)]).head.status, 401);
    }
    let id = id("good");
    assert_eq!(hub.publish(&[("topic", &name), ("id", &id)]), id);
}
