//! Flags, variables and the file; and that each option does what it says.

use std::net::TcpListener;
use std::process::Output;

use petasos_testkit::http::{self, Response};
use petasos_testkit::{Process, Stream};

use crate::support::{FORM, Hub, SECRET, error_line, petasos, token};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The line of `--check` about an option, in words.
fn line(output: &Output, name: &str) -> Vec<String> {
    let text = text(&output.stdout);
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
    line.split_whitespace().skip(1).map(str::to_owned).collect()
}

#[test]
fn check_says_what_each_option_is_and_who_says_so_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.toml");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let content = format!(
        "listen = \"{}\"\nheartbeat = \"1m\"\nmax-topics = 7\n[[issuers]]\nname = \"https://idp.example\"\npublisher-key = \"{SECRET}\"\n",
        taken.local_addr().unwrap()
    );
    std::fs::write(&file, content).unwrap();
    let mut command = petasos(&["hub", "--check", "--config", file.to_str().unwrap(), "--max-topics", "8"]);
    command.envs([
        ("PETASOS_MAX_MATCHERS", "9"),
        ("MERCURE_PUBLISHER_JWT_KEY", SECRET),
        ("PETASOS_SHARDS", ""),
    ]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(line(&output, "max-topics"), ["8", "command", "line"]);
    assert_eq!(line(&output, "max-matchers"), ["9", "environment"]);
    assert_eq!(line(&output, "heartbeat"), ["1m", file.to_str().unwrap()]);
    assert_eq!(line(&output, "max-body"), ["1MiB", "default"]);
    assert_eq!(line(&output, "shards"), ["0", "default"]);
    assert_eq!(line(&output, "publisher-key"), ["(hidden)", "environment"]);
    assert_eq!(line(&output, "issuers")[0], "https://idp.example");
    assert!(!text(&output.stdout).contains(SECRET));
}

#[test]
fn a_bad_value_is_named_with_an_example_and_the_exit_code_is_1() {
    let key = ["hub", "--check", "--publisher-key", SECRET];
    for (args, expected) in [
        (["--listen", "localhost"], "127.0.0.1:3000"),
        (["--heartbeat", "often"], "40s"),
        (["--max-body", "-1"], "1MiB"),
        (["--max-topics", "0"], "at least 1"),
        (["--max-id-length", "257"], "256"),
        (["--max-topic-length", "1MiB"], "61440"),
        (["--event-ids", "nice"], "ordered or random"),
        (["--transport", "bolt://data.db"], "file:./petasos-data"),
        (["--durability", "perhaps"], "fsync or os"),
        (["--history-max-bytes", "1023KiB"], "1MiB is the least"),
        (["--history-max-age", "long"], "40s"),
        (["--history-max-events", "-1"], "100"),
        (["--public-url", "example.com"], "https://example.com/.well-known/mercure"),
        (["--publisher-key-alg", "none"], "HS256"),
        (["--cors-origin", "https://example.com/"], "https://example.com"),
        (["--subscriber-key", "short"], "openssl rand"),
        (["--publisher-jwks", "/nowhere"], "jwks"),
        (["--publisher-jwks", "http://example.com/keys"], "https"),
    ] {
        let line = error_line(&[&key[..], &args].concat());
        assert!(line.contains(args[0]) && line.contains("cannot be") && line.contains(expected), "{line}");
        assert!(line.contains(args[1]) || args[0].ends_with("-key"), "{line}");
    }
    let line = error_line(&[&key[..], &["--anonymous=perhaps"]].concat());
    assert!(line.contains("--anonymous (MERCURE_ANONYMOUS) cannot be \"perhaps\""), "{line}");
    let variable = petasos(&key).env("PETASOS_SHUTDOWN_SPREAD", "x").output().unwrap();
    assert!(text(&variable.stderr).contains("PETASOS_SHUTDOWN_SPREAD"), "{variable:?}");
    assert_eq!(variable.status.code(), Some(1));
    assert!(error_line(&["hub", "--check", "--config", "/nowhere.toml"]).contains("PETASOS_CONFIG"));
    let two = ["https://a.example/.well-known/mercure", "https://a.example/hub"];
    let line = error_line(&[&key[..], &["--public-url", two[0], "--public-url", two[1]]].concat());
    assert!(line.contains("--public-url") && line.contains("path"), "{line}");
}

#[test]
fn each_issuer_of_the_file_is_trusted_with_its_own_key_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.toml");
    let other = "another secret of at least thirty-two bytes";
    std::fs::write(
        &file,
        format!(
            "[[issuers]]\nname = \"https://one.example\"\npublisher-key = \"{SECRET}\"\n\
             [[issuers]]\nname = \"https://two.example\"\npublisher-key = \"{other}\"\n"
        ),
    )
    .unwrap();
    let hub = Hub::with(&["--config", file.to_str().unwrap()], &[]);
    for (issuer, expected) in [("https://one.example", 200), ("https://two.example", 401), (&hub.url, 401)] {
        let bearer = format!("Bearer {}", token(&hub.url, &["--issuer", issuer]));
        let headers = [("authorization", bearer.as_str()), FORM];
        assert_eq!(
            http::request("POST", &hub.url, &headers, "topic=x").unwrap().head.status,
            expected,
            "{issuer}"
        );
    }
}

#[test]
fn a_public_key_may_stand_in_a_file() {
    let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/../hub/tests/hub/data/p256.pub.pem");
    let key = format!("@{pem}");
    let args = ["hub", "--check", "--publisher-key", &key, "--publisher-key-alg"];
    assert!(petasos(&[&args[..], &["ES256"]].concat()).output().unwrap().status.success());
    assert!(error_line(&[&args[..], &["RS256"]].concat()).contains("RS256"));
    assert!(error_line(&["hub", "--check", "--publisher-key", "@/nowhere"]).contains("/nowhere"));
}

#[test]
fn requests_for_other_hosts_are_421() {
    let urls = ["https://hub.example/.well-known/mercure", "http://inside.test:8080/.well-known/mercure"];
    let args = ["hub", "--listen", "127.0.0.1:0", "--admin-listen", "off", "--anonymous", "--debugger"];
    let args =
        [&args[..], &["--transport", "memory:", "--public-url", urls[0], "--public-url", urls[1]]].concat();
    let variables = [("MERCURE_PUBLISHER_JWT_KEY", SECRET)];
    let mut process = Process::start("petasos", &args, &variables, &std::env::temp_dir()).unwrap();
    let local = process.url("local").unwrap();
    let address = local.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let status = |host: &str, path: &str| {
        let request = format!("HEAD {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        http::raw(address, request.as_bytes()).unwrap().status
    };
    for path in ["/.well-known/mercure?match=x", "/.well-known/mercure/debug/"] {
        for good in ["hub.example", "HUB.example:443", "inside.test:8080"] {
            assert_eq!(status(good, path), 200, "{good}{path}");
        }
        for bad in ["inside.test", "evil.example", address, "localhost"] {
            assert_eq!(status(bad, path), 421, "{bad}{path}");
        }
    }
}

fn get(hub: &Hub, query: &str) -> Response {
    http::request("HEAD", &format!("{}?{query}", hub.url), &[], "").unwrap()
}

#[test]
fn limits_of_a_publish_are_those_that_were_set() {
    let long = "x".repeat(60);
    for (option, good, bad) in [
        (["--max-topics", "2"], "topic=a&topic=b".to_owned(), "topic=a&topic=b&topic=c".to_owned()),
        (["--max-body", "50"], "topic=a".to_owned(), format!("topic=a&data={long}")),
        (["--max-topic-length", "50"], "topic=a".to_owned(), format!("topic={long}")),
        (["--max-id-length", "50"], "topic=a&id=i".to_owned(), format!("topic=a&id={long}")),
        (["--max-id-length", "50"], "topic=a&type=t".to_owned(), format!("topic=a&type={long}")),
    ] {
        let hub = Hub::start(&option);
        assert_eq!(hub.publish(&good).head.status, 200, "{option:?}");
        let refused = hub.publish(&bad);
        assert_eq!(refused.head.status, 413, "{option:?}: {}", refused.body);
        assert!(refused.body.contains(option[1]), "{option:?}: {}", refused.body);
    }
}

#[test]
fn limits_may_be_larger_than_usual_too() {
    let (topic, id) = ("t".repeat(5000), "i".repeat(256));
    let hub = Hub::start(&["--max-topic-length", "8KiB", "--max-matcher-length", "8KiB"]);
    let mut stream = hub.subscribe(&format!("match={topic}")).unwrap();
    assert_eq!(hub.publish(&format!("topic={topic}&id={id}")).body, id);
    assert_eq!(stream.next_event().unwrap().id, Some(id.clone()));
    let mut again = hub.subscribe(&format!("match={topic}&last_event_id=earliest")).unwrap();
    assert_eq!(again.next_event().unwrap().id, Some(id));
}

#[test]
fn limits_of_a_subscription_are_those_that_were_set() {
    let long = "x".repeat(60);
    for (option, good, bad, status) in [
        (["--max-matchers", "2"], "match=a&match=b".to_owned(), "match=a&match=b&match=c".to_owned(), 400),
        (["--max-matcher-length", "50"], "match=a".to_owned(), format!("match={long}"), 400),
        (["--max-head", "8KiB"], "match=a".to_owned(), format!("match={}", "x".repeat(9000)), 431),
    ] {
        let hub = Hub::start(&[&option[..], &["--anonymous"]].concat());
        assert_eq!(get(&hub, &good).head.status, 200, "{option:?}");
        assert_eq!(get(&hub, &bad).head.status, status, "{option:?}");
    }
}

#[test]
fn one_stream_too_many_is_a_429() {
    for option in ["--max-subscribers", "--max-subscribers-per-address", "--max-subscribers-per-token"] {
        let hub = Hub::start(&[option, "2"]);
        let bearer = format!("Bearer {}", hub.token());
        let open = || Stream::open(&format!("{}?match=x", hub.url), &[("authorization", &bearer)]);
        let held = [open().unwrap(), open().unwrap()];
        let error = open().unwrap_err().to_string();
        assert!(error.contains("429"), "{option}: {error}");
        drop(held);
    }
}

#[test]
fn a_slow_reader_is_cut_by_the_limits_that_were_set() {
    for (options, reason) in [
        (["--max-backlog", "1", "--max-stall", "1h"], "bytes"),
        (["--max-backlog", "1GiB", "--max-stall", "1ms"], "stalled"),
    ] {
        let hub = Hub::start(&[&options[..], &["--shards", "1"]].concat());
        let stuck = hub.subscribe("match=x").unwrap();
        let line = format!("petasos_cut_offs_total{{reason=\"{reason}\"}} 1");
        let form = format!("topic=x&data={}", "y".repeat(100_000));
        loop {
            assert_eq!(hub.publish(&form).head.status, 200);
            let metrics = http::get(&format!("{}/metrics", hub.admin)).unwrap().body;
            if metrics.lines().any(|other| other == line) {
                break;
            }
        }
        drop(stuck);
    }
}

#[test]
fn streams_beat_and_end_when_they_should() {
    let hub = Hub::start(&["--heartbeat", "1s"]);
    let mut stream = hub.subscribe("match=x").unwrap();
    assert_eq!(stream.block().unwrap().trim(), ":", "the first one opens the stream");
    assert_eq!(stream.block().unwrap().trim(), ":");
    let short = Hub::start(&["--max-lifetime", "1s", "--heartbeat", "0"]);
    assert_eq!(short.subscribe("match=x").unwrap().rest().unwrap().trim(), ":");
}

#[test]
fn a_request_that_never_ends_is_cut() {
    let hub = Hub::start(&["--head-timeout", "100ms", "--body-timeout", "100ms"]);
    let request = format!("POST /.well-known/mercure HTTP/1.1\r\nhost: {}\r\n", hub.address());
    let body = format!("{request}{}: {}\r\ncontent-length: 9\r\n\r\ntopic", FORM.0, FORM.1);
    assert_eq!(http::raw(hub.address(), body.as_bytes()).unwrap().status, 408);
    assert!(
        http::raw(hub.address(), request.as_bytes()).is_err_and(|error| error.to_string().contains("[]"))
    );
}

#[test]
fn who_may_come_in_is_what_was_set() {
    let closed = Hub::start(&[]);
    assert_eq!(get(&closed, "match=x").head.status, 401);
    let id = closed.publish("topic=x").body;
    assert_eq!((id.len(), id.as_bytes()["urn:uuid:01234567-0123-".len()]), (45, b'7'), "{id}");

    let args = ["--anonymous", "--subscriptions", "--cookie-name", "token", "--event-ids", "random"];
    let origins = ["--cors-origin", "https://a.example", "--publish-origin", "https://b.example"];
    let open = Hub::start(&[&args[..], &origins].concat());
    assert_eq!(get(&open, "match=x").head.status, 200);
    let bearer = format!("Bearer {}", open.token());
    let list =
        http::request("GET", &format!("{}/subscriptions", open.url), &[("authorization", &bearer)], "");
    assert_eq!(list.unwrap().head.status, 200);
    let stream = Stream::open(&format!("{}?match=x", open.url), &[("origin", "https://a.example")]).unwrap();
    assert_eq!(stream.head.header("access-control-allow-origin"), Some("https://a.example"));
    assert_eq!(stream.head.header("access-control-allow-credentials"), Some("true"));
    let cookie = format!("token={}", open.token());
    let publish = |origin: &str| {
        let headers = [("cookie", cookie.as_str()), ("origin", origin), FORM];
        http::request("POST", &open.url, &headers, "topic=x").unwrap()
    };
    let published = publish("https://b.example");
    assert_eq!(published.head.status, 200);
    assert_eq!(published.body.as_bytes()["urn:uuid:01234567-0123-".len()], b'4', "{}", published.body);
    assert_eq!(publish("https://c.example").head.status, 403);
}

#[test]
fn subscribers_may_have_a_key_of_their_own() {
    let hub = Hub::start(&["--subscriber-key", "another secret of at least thirty-two bytes"]);
    assert!(hub.subscribe("match=x").unwrap_err().to_string().contains("401"));
    assert_eq!(hub.publish("topic=x").head.status, 200);
    let issued = Hub::start(&["--issuer", "https://one.example", "--issuer", "https://two.example"]);
    let bearer = format!("Bearer {}", token(&issued.url, &["--issuer", "https://two.example"]));
    Stream::open(&format!("{}?match=x", issued.url), &[("authorization", &bearer)]).unwrap();
    assert_eq!(issued.publish("topic=x").head.status, 401);
}
