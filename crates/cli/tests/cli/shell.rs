//! Token, publish and subscribe, as a person uses them.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Stdio;

use crate::support::{Hub, SECRET, error_line, output, petasos};

#[test]
fn a_person_can_publish_and_subscribe_from_a_shell() {
    let hub = Hub::start(&["--dev"]);
    let mut subscriber = petasos(&[
        "subscribe",
        &hub.url,
        "--pattern",
        "https://example.com/books/:id",
        "--count",
        "2",
        "--json",
    ])
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let mut states = BufReader::new(subscriber.stderr.take().unwrap());
    let mut state = String::new();
    states.read_line(&mut state).unwrap();
    assert_eq!(state, format!("subscribed to {}\n", hub.url));

    let publish =
        ["publish", "--hub", &hub.url, "--secret", SECRET, "--topic", "https://example.com/books/1"];
    let first =
        output(&[&publish[..], &["--data", "{\"a\": 1}", "--id", "urn:1", "--type", "book"]].concat());
    assert_eq!(String::from_utf8(first.stdout).unwrap(), "urn:1\n");
    let mut second = petasos(&[&publish[..], &["--data", "-", "--id", "urn:2"]].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    second.stdin.take().unwrap().write_all(b"two\nlines").unwrap();
    assert!(second.wait().unwrap().success());

    let output = subscriber.wait_with_output().unwrap();
    assert!(output.status.success());
    let expected = "{\"id\":\"urn:1\",\"type\":\"book\",\"data\":\"{\\\"a\\\": 1}\"}\n{\"id\":\"urn:2\",\"type\":\"message\",\"data\":\"two\\nlines\"}\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn a_token_that_petasos_makes_is_one_that_petasos_takes() {
    let hub = Hub::start(&["--dev"]);
    let token =
        output(&["token", "--hub", &hub.url, "--secret", SECRET, "--publish", "https://example.com/1"]);
    let token = String::from_utf8(token.stdout).unwrap();
    let publish =
        |topic: &str| output(&["publish", "--hub", &hub.url, "--token", token.trim(), "--topic", topic]);
    assert!(publish("https://example.com/1").status.success());
    let refused = publish("https://example.com/2");
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.contains("403") && text.contains("MERCURE_JWT_SECRET"), "{text}");
}

#[test]
fn what_is_wrong_is_one_line_that_names_the_option() {
    assert!(error_line(&["hub"]).contains("MERCURE_PUBLISHER_JWT_KEY"));
    assert!(error_line(&["hub", "--publisher-key", "short"]).contains("--publisher-key"));
    assert!(
        error_line(&["hub", "--publisher-key", SECRET, "--listen", "0.0.0.0:0"]).contains("--public-url")
    );
    assert!(error_line(&["token", "--hub", "x", "--secret", SECRET]).contains("--hub"));
    let short = error_line(&["token", "--hub", "http://h/", "--secret", "hunter2"]);
    assert!(short.contains("--secret") && !short.contains("hunter2"), "{short}");
    assert!(error_line(&["subscribe", "http://127.0.0.1:9/x"]).contains("--all"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = error_line(&["hub", "--dev", "--listen", &address]);
    assert!(line.contains(&address) && line.contains("PETASOS_LISTEN"), "{line}");
    let nobody =
        error_line(&["publish", "--hub", "http://127.0.0.1:9/x", "--secret", SECRET, "--topic", "x"]);
    assert!(nobody.contains("is the hub running"), "{nobody}");
    assert_eq!(output(&["publish"]).status.code(), Some(2));
}
