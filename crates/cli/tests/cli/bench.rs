//! `petasos bench` against the real hub.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use petasos_testkit::http;

use crate::support::{Hub, SECRET, error_line, output, petasos};

#[test]
fn everyone_gets_everything_and_the_figures_say_so() {
    let hub = Hub::start(&[]);
    let args = ["bench", "--url", &hub.url, "--secret", SECRET, "--private", "--subscribers", "40"];
    let run = output(&[&args[..], &["--rate", "25", "--duration", "2", "--json"]].concat());
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    let figures: serde_json::Value = serde_json::from_str(&said).unwrap();
    for (name, value) in [
        ("subscribers", 40),
        ("refused", 0),
        ("published", 50),
        ("not_published", 0),
        ("deliveries", 2000),
        ("lost", 0),
        ("repeated", 0),
        ("reconnects", 0),
    ] {
        assert_eq!(figures[name], value, "{name}: {said}");
    }
    let latency = |name: &str| figures["latency_ms"][name].as_f64().unwrap();
    assert!(latency("p50") > 0.0 && latency("p50") <= latency("p99") && latency("p99") <= latency("max"));
    let metrics = http::get(&format!("{}/metrics", hub.admin)).unwrap().body;
    assert!(metrics.lines().any(|line| line == "petasos_deliveries_total 2000"), "{metrics}");
}

#[test]
fn ctrl_c_ends_the_load_and_prints_what_was_measured() {
    let hub = Hub::start(&["--dev"]);
    let args = ["bench", "--url", &hub.url, "--secret", SECRET, "--subscribers", "3", "--duration", "3600"];
    let mut bench = petasos(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut states = BufReader::new(bench.stderr.take().unwrap());
    let mut state = String::new();
    while !state.starts_with("publishing 10/s for 3600 s") {
        state.clear();
        assert_ne!(states.read_line(&mut state).unwrap(), 0, "it ended by itself");
    }
    let sent = Command::new("kill").args(["-INT", &bench.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = bench.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let starts = [
        "subscribers  3 of 3",
        "connects ",
        "published ",
        "deliveries ",
        "lost         0",
        "repeated     0; 0",
    ];
    for (line, start) in said.lines().zip(starts) {
        assert!(line.starts_with(start), "{said}");
    }
    assert!(said.contains("stopped early") && said.contains("latency      p50 "), "{said}");
}

#[test]
fn what_a_load_cannot_be_is_one_line_that_names_the_option() {
    let url = "http://127.0.0.1:9/x";
    let line = |args: &[&str]| error_line(&[&["bench", "--url", url, "--secret", SECRET], args].concat());
    let product = line(&["--rate", "10000", "--duration", "86400"]);
    assert!(product.contains("--rate") && product.contains("--duration"), "{product}");
    assert!(line(&["--topic", "a\nb"]).contains("--topic"));
    assert!(error_line(&["bench", "--url", "x", "--secret", SECRET]).contains("--url"));
    assert!(error_line(&["bench", "--url", url, "--secret", "short"]).contains("--secret"));
    assert_eq!(
        output(&["bench", "--url", url, "--secret", SECRET, "--subscribers", "0"]).status.code(),
        Some(2)
    );
}

#[test]
fn a_key_that_is_not_the_hubs_ends_the_load_at_once() {
    let hub = Hub::start(&["--dev"]);
    let other = "another secret of at least thirty-two bytes";
    let run = output(&["bench", "--url", &hub.url, "--secret", other, "--subscribers", "2"]);
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(1), "{said}");
    let line = said.lines().last().unwrap();
    assert!(line.starts_with("error: ") && line.contains("401") && line.contains("--secret"), "{said}");
}
