//! What a hub refuses to hold, and when it lets go.

use std::time::Duration;

use petasos_hub::{ConnectionLimits, Hosts, Patience};
use petasos_protocol::HubUrl;
use serde_json::json;

use crate::support::{Served, header};

const SUBSCRIBE: &str = "GET /.well-known/mercure?match=x HTTP/1.1";

#[test]
fn sub_7_too_many_subscriptions_are_a_429_until_one_ends() {
    let limits = ConnectionLimits { total: Some(3), per_address: None, per_token: Some(1) };
    let served = Served::start(|builder| builder.connection_limits(limits));
    let token = served.token(json!({"actions": ["subscribe"], "topics": [{"match": "x"}]}));
    let bearer = format!("authorization: Bearer {token}\r\n");
    let first = served.subscribe("match=x", &bearer);
    let second = served.request(&format!("{SUBSCRIBE}\r\nauthorization: Bearer {token}"), "");
    assert_eq!(second.status, 429);
    assert!(second.body.contains("Your access token holds"), "{}", second.body);
    let others = [served.subscribe("match=x", ""), served.subscribe("match=x", "")];
    let full = served.request(SUBSCRIBE, "");
    assert_eq!((full.status, full.body.contains("as many subscriptions as it may (3)")), (429, true));
    drop((first, others));
    while served.request(&format!("HEAD{}", &SUBSCRIBE[3..]), "").status != 200
        || served.hub.metrics().subscribers.value() > 0
    {
        std::thread::yield_now();
    }
    served.subscribe("match=x", &bearer);
}

#[test]
fn sub_7_one_address_may_not_take_everything() {
    let limits = ConnectionLimits { per_address: Some(1), ..ConnectionLimits::default() };
    let served = Served::start(|builder| builder.connection_limits(limits));
    let held = served.subscribe("match=x", "");
    let refused = served.request(SUBSCRIBE, "");
    assert_eq!((refused.status, refused.body.contains("Your address holds")), (429, true));
    drop(held);
}

#[test]
fn another_host_is_a_421_that_says_what_to_do() {
    let url = HubUrl::parse("https://hub.example/.well-known/mercure").unwrap();
    let served = Served::start(|builder| builder.hosts(Hosts::Of(vec![url])));
    let ask = |host: &str| {
        let mut client = served.connect();
        client
            .send(&format!("GET /.well-known/mercure HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"));
        client.reply()
    };
    assert_eq!(ask("hub.example").status, 400);
    assert_eq!(ask("HUB.example:443").status, 400);
    let refused = ask("evil.example");
    assert_eq!(refused.status, 421);
    assert!(refused.body.contains("evil.example") && refused.body.contains("--public-url"));
}

#[test]
fn sub_10_a_stream_ends_after_its_longest_life() {
    let served = Served::start(|builder| builder.max_lifetime(Some(Duration::from_secs(1))));
    let mut client = served.subscribe("match=x", "");
    assert_eq!(client.rest(), b"");
}

#[test]
fn a_stopping_hub_tells_its_subscribers_when_to_come_back() {
    let mut served = Served::start(|builder| builder);
    let mut clients: Vec<_> = (0..120).map(|_| served.subscribe("match=x", "")).collect();
    served.stop();
    let mut pauses: Vec<u32> = Vec::new();
    for client in &mut clients {
        let last = String::from_utf8(client.rest()).unwrap();
        let pause = last.strip_prefix("retry: ").and_then(|rest| rest.strip_suffix("\n\n"));
        pauses.push(pause.unwrap_or_else(|| panic!("{last:?}")).parse().unwrap());
    }
    pauses.sort_unstable();
    pauses.dedup();
    assert!(pauses.len() > 50 && pauses[0] >= 500 && *pauses.last().unwrap() < 2000, "{pauses:?}");
}

#[test]
fn a_publish_under_way_is_finished_while_the_hub_stops() {
    let mut served = Served::start(|builder| builder);
    let token = served.token(json!({"actions": ["publish"], "topics": [{"match": "*"}]}));
    let mut client = served.connect();
    client.send(&format!(
        "POST /.well-known/mercure HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\nexpect: 100-continue\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: 17\r\n\r\n"
    ));
    // The hub asks for the body, so the request is under way.
    assert_eq!(client.until(b"\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    let address = served.address;
    let stopping = std::thread::spawn(move || served.stop());
    while std::net::TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    client.send("topic=x&id=urn:in");
    let reply = client.reply();
    assert_eq!((reply.status, reply.body.as_str()), (200, "urn:in"));
    assert!(header(&reply.head, "connection").is_none_or(|value| value == "close"));
    stopping.join().unwrap();
}

#[test]
fn a_head_or_a_body_that_never_ends_is_cut_by_time() {
    let patience = Patience { head: Duration::from_secs(1), body: Duration::from_secs(1) };
    let served = Served::start(|builder| builder.patience(patience));
    let mut silent = served.connect();
    let mut slow = served.connect();
    slow.send("GET /.well-known/mercure?match=x HTTP/1.1\r\nhost: test\r\n");
    let mut body = served.connect();
    body.send(
        "POST /.well-known/mercure HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\ntopic=",
    );
    let mut query = served.connect();
    query.send(
        "QUERY /.well-known/mercure HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n5\r\nmatch\r\n",
    );
    for client in [&mut body, &mut query] {
        let reply = client.reply();
        assert_eq!((reply.status, reply.header("content-type")), (408, Some("application/problem+json")));
        assert!(reply.body.contains("did not end within 1 seconds"), "{}", reply.body);
    }
    for client in [&mut silent, &mut slow] {
        let last = String::from_utf8(client.rest()).unwrap();
        assert!(last.is_empty() || last.starts_with("HTTP/1.1 408 "), "{last}");
    }
}

#[test]
fn a_head_or_a_body_that_never_ends_is_cut_by_size() {
    let served = Served::start(|builder| builder.max_body(1000));
    let mut large = served.connect();
    large.send(&format!(
        "GET /.well-known/mercure?match=x HTTP/1.1\r\nhost: test\r\nx-filler: {}\r\nconnection: close\r\n\r\n",
        "y".repeat(66_000)
    ));
    let reply = large.reply();
    assert_eq!(reply.status, 431);
    assert!(
        reply.body.contains("\"status\":431") && reply.body.contains("65536 are allowed"),
        "{}",
        reply.body
    );
    let mut long = served.connect();
    long.send(&format!(
        "GET /.well-known/mercure?match={} HTTP/1.1\r\nhost: test\r\n\r\n",
        "x".repeat(70_000)
    ));
    let status = long.until(b"\r\n");
    assert!(status.starts_with("HTTP/1.1 414 ") || status.starts_with("HTTP/1.1 431 "), "{status}");
    let mut endless = served.connect();
    endless.send("GET /.well-known/mercure?match=x HTTP/1.1\r\nhost: test\r\n");
    let line = format!("x-filler: {}\r\n", "y".repeat(1000));
    // The hub may close before everything is written.
    let mut written = 0;
    while written < 200 && std::io::Write::write_all(&mut endless.stream, line.as_bytes()).is_ok() {
        written += 1;
    }
    let status = endless.until(b"\r\n");
    assert!(status.starts_with("HTTP/1.1 431 "), "{status}");
    let mut chunks = served.connect();
    chunks.send(
        "POST /.well-known/mercure HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n",
    );
    for _ in 0..3 {
        chunks.send(&format!("190\r\n{}\r\n", "x".repeat(400)));
    }
    let reply = chunks.reply();
    assert_eq!(reply.status, 413);
    assert!(reply.body.contains("1000 bytes"), "{}", reply.body);
}
