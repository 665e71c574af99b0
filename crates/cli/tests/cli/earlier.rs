//! The earlier generations of the protocol, as the binary serves them.

use std::process::Command;

use petasos_testkit::http::{self, Response};
use petasos_testkit::{PATIENCE, Stream};

use crate::support::{FORM, Hub, SECRET, error_line, petasos};

const WEAK: &str = "!UnsecureChangeMe!";
/// Signed with [`WEAK`]: may subscribe to `foo` and `bar`, and publish for `foo`.
const EXAMPLE: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJtZXJjdXJlIjp7InN1YnNjcmliZSI6WyJmb28iLCJiYXIiXSwicHVibGlzaCI6WyJmb28iXX19.LRLvirgONK13JgacQ_VbcjySbVhkSmHy3IznH3tA9PM";

fn bearer() -> String {
    format!("Bearer {EXAMPLE}")
}

fn publish(hub: &Hub, form: &str) -> Response {
    http::request("POST", &hub.url, &[("authorization", &bearer()), FORM], form).unwrap()
}

#[test]
fn the_example_token_works_as_it_stands_with_its_weak_key_and_the_hub_warns() {
    let line = error_line(&["hub", "--check", "--publisher-key", WEAK]);
    assert!(line.contains("--publisher-key") && line.contains("18"), "{line}");
    let mut hub = Hub::with(&["--compat", "targets"], &[("MERCURE_PUBLISHER_JWT_KEY", WEAK)]);
    let mut holder =
        Stream::open(&format!("{}?topic=https://example.com/1", hub.url), &[("authorization", &bearer())])
            .unwrap();
    assert_eq!(publish(&hub, "topic=https://example.com/1&target=bar&data=x").head.status, 403);
    assert_eq!(publish(&hub, "topic=https://example.com/1&target=foo&data=x&id=urn:1").head.status, 200);
    assert_eq!(holder.next_event().unwrap().id.as_deref(), Some("urn:1"));
    let (code, said) = hub.process.stop().unwrap();
    assert_eq!(code, Some(0));
    assert!(said.contains("WARN") && said.contains("18 bytes") && !said.contains(WEAK), "{said}");
    let mut strong = Hub::start(&["--compat", "targets"]);
    let (_, said) = strong.process.stop().unwrap();
    assert!(!said.contains("WARN"), "{said}");
}

#[test]
fn the_generations_are_named_by_flags_a_variable_or_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.toml");
    std::fs::write(&file, "compat = [\"targets\", \"selectors\"]\n").unwrap();
    let variables = [("MERCURE_PUBLISHER_JWT_KEY", WEAK), ("MERCURE_COMPATIBILITY", "targets, selectors")];
    let key = &variables[..1];
    let hubs = [
        Hub::with(&["--compat", "targets,selectors"], key),
        Hub::with(&["--compat", "targets", "--compat", "selectors"], key),
        Hub::with(&["--config", file.to_str().unwrap()], key),
        Hub::with(&[], &variables),
    ];
    for hub in hubs {
        Stream::open(&format!("{}?topic=foo&authorization={EXAMPLE}", hub.url), &[]).unwrap();
        assert_eq!(publish(&hub, "topic=x&target=foo").head.status, 200);
    }
    let line = error_line(&["hub", "--check", "--publisher-key", SECRET, "--compat", "selectors,old"]);
    assert!(line.contains("--compat (MERCURE_COMPATIBILITY) cannot be \"old\""), "{line}");
    assert!(line.contains("selectors or targets"), "{line}");
    let none =
        petasos(&["hub", "--check", "--publisher-key", WEAK]).env("MERCURE_COMPATIBILITY", "").output();
    assert_eq!(none.unwrap().status.code(), Some(1));
}

#[test]
fn a_token_in_the_url_is_in_no_log_no_answer_and_no_metric() {
    let variables = [("MERCURE_PUBLISHER_JWT_KEY", WEAK), ("RUST_LOG", "trace")];
    let mut hub = Hub::with(&["--compat", "selectors", "--subscriptions", "--debugger"], &variables);
    let (claims, signature) = EXAMPLE.rsplit_once('.').unwrap();
    let secret = &signature[1..];
    let forged = format!("{claims}.M{secret}");
    let stream = Stream::open(&format!("{}?topic=foo&authorization={EXAMPLE}", hub.url), &[]).unwrap();
    let mut said = format!("{:?}", stream.head);
    for (method, rest) in [
        ("GET", "?topic=foo&authorization="),
        ("GET", "?topi=foo&authorization="),
        ("GET", "?match_=foo&%61uthorization="),
        ("GET", "/subscriptions?authorization="),
        ("GET", "/debug/nothing?authorization="),
        ("GET", "/nothing?authorization="),
        ("POST", "?authorization="),
        ("PUT", "?authorization="),
    ] {
        for token in [EXAMPLE, &forged]
            .into_iter()
            .filter(|token| rest != "?topic=foo&authorization=" || *token != EXAMPLE)
        {
            let reply =
                http::request(method, &format!("{}{rest}{token}", hub.url), &[FORM], "topic=x").unwrap();
            assert!(reply.head.status >= 400, "{method} {rest}: {reply:?}");
            said.push_str(&format!("{reply:?}"));
        }
    }
    let url = format!("{}?match_=foo&authorization={EXAMPLE}", hub.url);
    let patience = PATIENCE.as_secs().to_string();
    let two =
        Command::new("curl").args(["-si", "--http2-prior-knowledge", "--max-time", &patience, &url]).output();
    let two = String::from_utf8(two.unwrap().stdout).unwrap();
    assert!(two.starts_with("HTTP/2 400"), "{two}");
    said.push_str(&two);
    said.push_str(&http::get(&format!("{}/metrics", hub.admin)).unwrap().body);
    drop(stream);
    let (_, log) = hub.process.stop().unwrap();
    assert!(log.contains("a token was refused"), "the log says what happens: {log}");
    said.push_str(&log);
    let leaks: Vec<&str> = said.lines().filter(|line| line.contains(secret)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
