//! Where the hub keeps its updates, for how long, and what it says when it cannot.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use petasos_testkit::Process;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Hub, SECRET, error_line, output};

const KEY: [(&str, &str); 1] = [("MERCURE_PUBLISHER_JWT_KEY", SECRET)];

impl Hub {
    fn publish_all(&self, ids: impl Iterator<Item = u32>) {
        for id in ids {
            assert_eq!(self.publish(&format!("topic=x&id=urn:{id}&data=some")).head.status, 200);
        }
    }

    /// The ids that follow a cursor, up to and with the last one.
    fn ids(&self, cursor: &str, last: &str) -> Vec<String> {
        let mut stream = self.subscribe(&format!("match=x&last_event_id={cursor}")).unwrap();
        let mut ids = Vec::new();
        while ids.last().is_none_or(|id| id != last) {
            ids.push(stream.next_event().unwrap().id.unwrap());
        }
        ids
    }

    /// Stops it, and starts another one in its folder.
    fn restart(mut self, args: &[&str]) -> Self {
        let (code, said) = self.process.stop().unwrap();
        assert_eq!((code, said.contains("rror")), (Some(0), false), "{said}");
        Self::within(self.folder, args, &KEY)
    }
}

fn urns(ids: std::ops::RangeInclusive<u32>) -> Vec<String> {
    ids.map(|id| format!("urn:{id}")).collect()
}

#[test]
fn rec_3_updates_outlive_the_hub_by_default() {
    let hub = Hub::start(&[]);
    hub.publish_all(1..=3);
    assert!(hub.folder.path().join("petasos-data/lock").is_file());
    let hub = hub.restart(&[]);
    assert_eq!(hub.ids("urn:1", "urn:3"), urns(2..=3));
    hub.publish_all(4..=4);
    assert_eq!(hub.ids("earliest", "urn:4"), urns(1..=4));
    let hub = hub.restart(&["--durability", "os"]);
    hub.publish_all(5..=5);
    assert_eq!(hub.restart(&[]).ids("urn:4", "urn:5"), urns(5..=5));
}

#[test]
fn in_memory_nothing_outlives_the_hub_and_limits_hold() {
    let memory = ["--transport", "memory:", "--history-max-events", "3"];
    let hub = Hub::start(&memory);
    hub.publish_all(1..=5);
    assert_eq!(hub.ids("earliest", "urn:5"), urns(3..=5));
    assert_eq!(std::fs::read_dir(hub.folder.path()).unwrap().count(), 0);
    let hub = hub.restart(&memory);
    hub.publish_all(6..=6);
    assert_eq!(hub.ids("earliest", "urn:6"), urns(6..=6));
}

#[test]
fn the_number_of_updates_is_limited() {
    let hub = Hub::start(&["--history-max-events", "4"]);
    hub.publish_all(1..=9);
    assert_eq!(hub.ids("earliest", "urn:9"), urns(6..=9));
    let hub = hub.restart(&["--history-max-events", "2"]);
    assert_eq!(hub.ids("earliest", "urn:9"), urns(8..=9));
}

#[test]
fn a_directory_belongs_to_one_hub_at_a_time() {
    let hub = Hub::start(&[]);
    let directory = format!("file:{}", hub.folder.path().join("petasos-data").display());
    let line = refusal(&directory);
    let holder = format!("process {}", hub.process.id());
    assert!(line.contains("in use by another process") && line.contains(&holder), "{line}");
    // Nothing happened to the one that has it.
    hub.publish_all(1..=1);
    // A hub that was killed leaves nothing behind that would stop the next one.
    let Hub { mut process, folder, .. } = hub;
    process.kill().unwrap();
    assert_eq!(Hub::within(folder, &[], &KEY).ids("earliest", "urn:1"), urns(1..=1));
}

/// Why a hub does not start with this transport: one line that names the option.
fn refusal(transport: &str) -> String {
    let line = error_line(&[
        "hub",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "off",
        "--publisher-key",
        SECRET,
        "--transport",
        transport,
    ]);
    assert!(line.contains("--transport (MERCURE_TRANSPORT_URL)"), "{line}");
    line
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let line = refusal(&format!("file:{}/data", file.display()));
    assert!(line.contains(file.to_str().unwrap()) && line.contains("file:/var/lib/petasos"), "{line}");
    #[cfg(target_os = "linux")]
    assert!(refusal("file:/proc/petasos").contains("cannot make the directory /proc/petasos"));
    let age = error_line(&[
        "hub",
        "--check",
        "--publisher-key",
        SECRET,
        "--transport",
        "memory:",
        "--history-max-age",
        "1d",
    ]);
    assert!(age.contains("--history-max-age"), "{age}");
}

/// The segment of a stopped hub that published a few updates, and a folder that holds it.
fn segment() -> (TempDir, PathBuf) {
    let hub = Hub::start(&[]);
    hub.publish_all(1..=3);
    let Hub { mut process, folder, .. } = hub;
    process.stop().unwrap();
    let segment = folder.path().join("petasos-data/00000000000000000001.log");
    (folder, segment)
}

fn change(file: &Path, offset: u64, bytes: &[u8]) {
    let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

#[test]
fn a_format_from_the_future_is_left_alone() {
    let (folder, segment) = segment();
    change(&segment, 8, &9u32.to_le_bytes());
    let before = std::fs::read(&segment).unwrap();
    let line = refusal(&format!("file:{}", folder.path().join("petasos-data").display()));
    let named = line.contains("petasos-data: 00000000000000000001.log was written by a later version");
    assert!(named && line.contains("format is 9"), "{line}");
    assert_eq!(std::fs::read(&segment).unwrap(), before);
}

#[test]
fn damage_is_told_and_nothing_is_cut() {
    let (folder, segment) = segment();
    change(&segment, 530, b"damage");
    let before = std::fs::read(&segment).unwrap();
    let line = refusal(&format!("file:{}", folder.path().join("petasos-data").display()));
    assert!(line.contains("damaged at offset 512") && line.contains("backup"), "{line}");
    assert_eq!(std::fs::read(&segment).unwrap(), before);
}

#[test]
fn a_hub_that_cannot_have_its_history_does_not_announce_itself() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["hub", "--listen", "127.0.0.1:0", "--admin-listen", "off", "--transport", "file:/dev/null/x"];
    let mut process = Process::start("petasos", &args, &KEY, folder.path()).unwrap();
    assert!(process.url("hub").unwrap_err().to_string().contains("/dev/null"));
}

fn said(args: &[&str]) -> String {
    let output = output(&[&["history"], args].concat());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_history_is_looked_into_and_written_out_while_a_hub_has_it() {
    let hub = Hub::start(&[]);
    hub.publish("topic=x&topic=%C3%BC&id=urn:1&data=one%0Atwo&private=on&type=t&retry=7");
    hub.publish("topic=x&id=urn:2");
    hub.publish_all(3..=5);
    let folder = hub.folder.path().join("petasos-data");
    let folder = folder.to_str().unwrap();
    let inspected = said(&["inspect", folder, "--verify"]);
    for line in ["updates    5\n", "places     1 to 5\n", "newest id  urn:5\n", "verified   5 updates"] {
        assert!(inspected.contains(line), "{inspected}");
    }
    let exported = lines(&said(&["export", folder]));
    let at = exported[0]["at"].as_u64().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(at <= now && now - at < 3600, "{at}");
    let first = json!({
        "seq": 1, "at": at, "id": "urn:1", "topics": ["x", "\u{fc}"], "private": true, "data": "one\ntwo", "type": "t", "retry": 7
    });
    assert_eq!(exported[0], first);
    assert_eq!((&exported[1]["data"], &exported[1]["private"]), (&json!(""), &json!(false)));
    assert_eq!(exported.len(), 5);
    let rest = lines(&said(&["export", folder, "--after", "urn:3"]));
    assert_eq!(rest.iter().map(|line| line["id"].as_str().unwrap()).collect::<Vec<_>>(), ["urn:4", "urn:5"]);
    let unknown = error_line(&["history", "export", folder, "--after", "urn:9"]);
    assert!(unknown.contains("--after") && unknown.contains("urn:9"), "{unknown}");
    let used = error_line(&["history", "trim", folder, "--max-events", "2"]);
    assert!(used.contains("in use by another process") && used.contains("process"), "{used}");
}

#[test]
fn trim_removes_to_the_update_and_the_hub_goes_on_from_there() {
    let hub = Hub::start(&[]);
    hub.publish_all(1..=9);
    let Hub { mut process, folder, .. } = hub;
    process.stop().unwrap();
    let directory = folder.path().join("petasos-data");
    let trim = |args: &[&str]| said(&[&["trim", directory.to_str().unwrap()], args].concat());
    assert_eq!(trim(&["--max-age", "1d", "--max-bytes", "1GiB"]), "0 updates removed, 9 left\n");
    assert_eq!(trim(&["--max-events", "4"]), "5 updates removed, 4 left\n");
    let hub = Hub::within(folder, &[], &KEY);
    hub.publish_all(10..=10);
    assert_eq!(hub.ids("earliest", "urn:10"), urns(6..=10));
    assert_eq!(hub.ids("urn:8", "urn:10"), urns(9..=10));
}

#[test]
fn what_is_wrong_with_a_history_is_one_line() {
    let (folder, segment) = segment();
    let directory = folder.path().join("petasos-data");
    let directory = directory.to_str().unwrap();
    let line = error_line(&["history", "trim", directory]);
    assert!(line.contains("--max-age 30d"), "{line}");
    let line = error_line(&["history", "trim", directory, "--max-age", "old"]);
    assert!(line.contains("--max-age cannot be \"old\""), "{line}");
    for command in ["inspect", "export"] {
        let line = error_line(&["history", command, "/nowhere"]);
        assert!(line.contains("/nowhere"), "{line}");
    }
    assert!(error_line(&["history", "trim", "/nowhere", "--max-events", "1"]).contains("/nowhere"));
    change(&segment, 530, b"damage");
    for args in [&["inspect", directory, "--verify"][..], &["trim", directory, "--max-events", "1"]] {
        let line = error_line(&[&["history"], args].concat());
        assert!(line.contains("damaged at offset 512"), "{line}");
    }
}

/// The most memory that a process ever had, in bytes.
#[cfg(target_os = "linux")]
fn peak(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// A history of large updates, made without a hub.
#[cfg(target_os = "linux")]
fn fill(directory: &Path, updates: u32, size: usize) {
    use petasos_hub::transport::Transport;
    use petasos_protocol::{EventId, Topic, Update};

    let history = petasos_hub::transport::file::FileConfig::new(directory).open().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let appends: Vec<_> = (1..=updates)
            .map(|number| {
                let update = Update::new(Topic::new("x").unwrap()).with_data("x".repeat(size));
                let id = EventId::new(&format!("urn:{number}")).unwrap();
                history.append(std::sync::Arc::new(petasos_hub::Event::new(id, &update)))
            })
            .collect();
        for append in appends {
            append.await.unwrap();
        }
        history.close().await;
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_long_replay_goes_at_the_pace_of_its_subscriber_in_bounded_memory() {
    use std::io::{BufRead, BufReader, Write};

    const UPDATES: u32 = 8_000;
    const SIZE: usize = 16_000;
    let folder = tempfile::tempdir().unwrap();
    fill(&folder.path().join("petasos-data"), UPDATES, SIZE);
    let hub = Hub::within(folder, &["--max-stall", "1h"], &KEY);
    // It wants all of it, and reads nothing yet.
    let mut slow = std::net::TcpStream::connect(hub.address()).unwrap();
    slow.set_read_timeout(Some(petasos_testkit::PATIENCE)).unwrap();
    let head = format!(
        "GET /.well-known/mercure?match=x&last_event_id=earliest HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n",
        hub.address(),
        hub.token()
    );
    slow.write_all(head.as_bytes()).unwrap();
    // Others have what is new meanwhile.
    let mut live = hub.subscribe("match=x").unwrap();
    let last = UPDATES + 50;
    for number in UPDATES + 1..=last {
        hub.publish_all(number..=number);
        assert_eq!(live.next_event().unwrap().id, Some(format!("urn:{number}")));
    }
    let mut lines = BufReader::with_capacity(1 << 16, slow);
    let (mut line, mut next) = (Vec::new(), 1);
    while next <= last {
        line.clear();
        assert!(lines.read_until(b'\n', &mut line).unwrap() > 0, "the stream ended before urn:{next}");
        if let Some(id) = line.strip_prefix(b"id: ") {
            assert_eq!(id, format!("urn:{next}\n").as_bytes());
            next += 1;
        }
    }
    let (peak, all) = (peak(&hub.process), u64::from(UPDATES) * SIZE as u64);
    assert!(peak < all / 2, "{peak} bytes of memory for {all} bytes of history");
}
