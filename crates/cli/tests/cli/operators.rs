//! Health and metrics, on an address of their own.

use std::collections::BTreeMap;
use std::net::TcpListener;

use petasos_testkit::http;

use crate::support::{Hub, SECRET, error_line};

/// Reads the text format of Prometheus as its documentation describes it, and refuses anything else.
fn samples(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n'));
    let (mut types, mut helps, mut samples) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(helps.insert(name, help).is_none(), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind) && helps.contains_key(name), "{line}");
            assert!(types.insert(name, kind).is_none(), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte)), "{line}");
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let known = |name: &str| types.contains_key(name);
            assert!(known(name) || family.is_some_and(known), "{line} has no type before it");
            let counter = types.get(name) == Some(&"counter");
            assert_eq!(counter, name.ends_with("_total"), "{line}");
            let (labels, value) = (series.matches('"').count(), value.parse::<f64>().unwrap());
            assert!(labels.is_multiple_of(2) && value >= 0.0, "{line}");
            assert!(samples.insert(series.to_owned(), value).is_none(), "{line}");
        }
    }
    samples
}

fn metrics(hub: &Hub) -> BTreeMap<String, f64> {
    let response = http::get(&format!("{}/metrics", hub.admin)).unwrap();
    let media_type = response.head.header("content-type").unwrap();
    assert_eq!(media_type, "text/plain; version=0.0.4; charset=utf-8");
    samples(&response.body)
}

#[test]
fn metrics_count_what_happens() {
    let hub = Hub::start(&["--shards", "2"]);
    let before = metrics(&hub);
    assert_eq!((before["mercure_subscribers_connected"], before["mercure_updates_total"]), (0.0, 0.0));
    let mut first = hub.subscribe("match=x").unwrap();
    let mut second = hub.subscribe("match=x").unwrap();
    for id in ["urn:1", "urn:2", "urn:3"] {
        assert_eq!(hub.publish(&format!("topic=x&id={id}")).head.status, 200);
        for stream in [&mut first, &mut second] {
            assert_eq!(stream.next_event().unwrap().id.as_deref(), Some(id));
        }
    }
    let now = metrics(&hub);
    assert_eq!(now["mercure_subscribers_connected"], 2.0);
    assert_eq!(now["mercure_subscribers_total"], 2.0);
    // Once each, however many shards there are.
    assert_eq!(now["mercure_updates_total"], 3.0);
    assert_eq!(now["petasos_deliveries_total"], 6.0);
    let fanned_out = now["petasos_fanout_seconds_count"];
    assert!((3.0..=6.0).contains(&fanned_out), "{fanned_out}");
    assert_eq!(now["petasos_fanout_seconds_bucket{le=\"+Inf\"}"], fanned_out);
    assert_eq!((now["petasos_classes"], now["petasos_backlog_bytes"]), (2.0, 0.0));
    assert!(
        ["bytes", "frames", "stalled", "budget", "talks"]
            .iter()
            .all(|reason| now[&format!("petasos_cut_offs_total{{reason=\"{reason}\"}}")] == 0.0)
    );
    assert_eq!(now["petasos_build_info{version=\"0.1.0\"}"], 1.0);
    if cfg!(target_os = "linux") {
        assert!(now["process_resident_memory_bytes"] > 1e6 && now["process_open_fds"] >= 4.0);
        assert!(now["process_max_fds"] > 0.0 && now["process_cpu_seconds_total"] >= 0.0);
    }
}

#[test]
fn a_hub_that_runs_is_alive_and_ready_and_has_nothing_else_there() {
    let hub = Hub::start(&[]);
    assert_eq!(http::get(&format!("{}/healthz/live", hub.admin)).unwrap().body, "alive\n");
    assert_eq!(http::get(&format!("{}/healthz/ready", hub.admin)).unwrap().body, "ready\n");
    let status = |url: &str| http::request("GET", url, &[], "").unwrap().head.status;
    assert_eq!(status(&format!("{}/.well-known/mercure?match=x", hub.admin)), 404);
    assert_eq!(status(&format!("http://{}/metrics", hub.address())), 404);
}

#[test]
fn a_taken_address_is_named_with_its_option_and_off_needs_none() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let common = ["hub", "--publisher-key", SECRET, "--listen", "127.0.0.1:0"];
    let line = error_line(&[&common[..], &["--admin-listen", &address]].concat());
    assert!(line.contains(&address) && line.contains("--admin-listen (PETASOS_ADMIN_LISTEN)"), "{line}");
    let line = error_line(&[&common[..], &["--admin-listen", "none"]].concat());
    assert!(line.contains("cannot be \"none\"") && line.contains("127.0.0.1:"), "{line}");
    let args = ["hub", "--listen", "127.0.0.1:0", "--admin-listen", "off", "--transport", "memory:"];
    let variables = [("MERCURE_PUBLISHER_JWT_KEY", SECRET)];
    let mut process =
        petasos_testkit::Process::start("petasos", &args, &variables, &std::env::temp_dir()).unwrap();
    process.url("hub").unwrap();
    assert_eq!(process.stop().unwrap().0, Some(0));
}
