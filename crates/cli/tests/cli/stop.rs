//! How a hub ends: gently when asked, at once when asked twice.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;

use petasos_testkit::http;

use crate::support::Hub;

/// Begins a publish whose body has only half arrived.
fn half_a_publish(hub: &Hub) -> TcpStream {
    let mut stream = TcpStream::connect(hub.address()).unwrap();
    stream.set_read_timeout(Some(petasos_testkit::PATIENCE)).unwrap();
    let head = format!(
        "POST /.well-known/mercure HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nexpect: 100-continue\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: 21\r\n\r\n",
        hub.address(),
        hub.token()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The hub says that it waits for the body: now the request is under way.
    let mut line = [0; 25];
    std::io::Read::read_exact(&mut stream, &mut line).unwrap();
    assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"topic=x&id").unwrap();
    stream
}

#[test]
fn sigterm_ends_streams_with_a_hint_finishes_publishes_and_takes_no_more_connections() {
    let mut hub = Hub::start(&["--shutdown-spread", "2s", "--shutdown-grace", "1h"]);
    let streams: Vec<_> = (0..120).map(|_| hub.subscribe("match=x").unwrap()).collect();
    let mut publish = half_a_publish(&hub);
    assert_eq!(http::get(&format!("{}/healthz/ready", hub.admin)).unwrap().body, "ready\n");

    hub.process.signal("TERM").unwrap();
    let mut pauses = BTreeSet::new();
    for stream in streams {
        let said = stream.rest().unwrap();
        let retry = said.lines().find_map(|line| line.strip_prefix("retry: ")).unwrap();
        pauses.insert(retry.parse::<u64>().unwrap());
    }
    assert!(pauses.len() > 1, "all of them come back at the same moment: {pauses:?}");
    let ready = http::request("GET", &format!("{}/healthz/ready", hub.admin), &[], "").unwrap();
    assert_eq!((ready.head.status, ready.body.as_str()), (503, "not ready: the hub is stopping\n"));
    assert_eq!(http::get(&format!("{}/healthz/live", hub.admin)).unwrap().head.status, 200);
    assert!(TcpStream::connect(hub.address()).is_err(), "a hub that stops still takes connections");

    publish.write_all(b"=urn:last&a").unwrap();
    assert_eq!(http::finish(&mut publish).unwrap().status, 200);
    let (code, said) = hub.process.wait().unwrap();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_second_ctrl_c_stops_at_once() {
    let mut hub = Hub::start(&["--shutdown-grace", "1h"]);
    let stream = hub.subscribe("match=x").unwrap();
    let _publish = half_a_publish(&hub);
    hub.process.signal("INT").unwrap();
    stream.rest().unwrap();
    hub.process.signal("INT").unwrap();
    let (code, said) = hub.process.wait().unwrap();
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("Ctrl-C again") && said.contains("stopped at once"), "{said}");
}

#[test]
fn requests_that_never_end_are_broken_off_after_the_grace() {
    let mut hub = Hub::start(&["--shutdown-grace", "100ms"]);
    let _publish = half_a_publish(&hub);
    let (code, said) = hub.process.stop().unwrap();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("broken off"), "{said}");
}
