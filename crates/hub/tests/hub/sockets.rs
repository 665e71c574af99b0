//! Clients that behave in every way that clients do, on real sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use petasos_hub::{BacklogLimits, Hub};
use petasos_protocol::{EventId, Topic, Update};
use socket2::{Domain, SockRef, Socket, Type};

use crate::support::{Client, Served};

const SUBSCRIBE: &str = "GET /.well-known/mercure?match=x HTTP/1.1\r\nhost: test\r\n";

fn publish(hub: &Hub, numbers: std::ops::Range<usize>, size: usize) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut frames = String::new();
    for number in numbers {
        let id = EventId::new(&format!("urn:{number}")).unwrap();
        let data = "x".repeat(size);
        frames.push_str(&format!("id: urn:{number}\ndata: {data}\n\n"));
        let update = Update::new(Topic::new("x").unwrap()).with_id(id).with_data(data);
        runtime.block_on(hub.publish(update, None)).unwrap();
    }
    frames
}

/// What was received, without comments.
fn events(received: &[u8]) -> String {
    let text = String::from_utf8(received.to_vec()).unwrap();
    text.split_inclusive("\n\n").filter(|event| !event.starts_with(':')).collect()
}

fn wait_for_subscribers(hub: &Hub, count: u64) {
    while hub.metrics().subscribers.value() != count {
        std::thread::yield_now();
    }
}

/// Opens a subscription on a socket with so small a window.
fn with_window(address: SocketAddr, bytes: usize) -> std::net::TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(bytes).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = std::net::TcpStream::from(socket);
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    stream.write_all(format!("{SUBSCRIBE}\r\n").as_bytes()).unwrap();
    stream
}

#[test]
fn a_subscription_behind_a_pipelined_request_is_served_and_what_follows_it_is_ignored() {
    let served = Served::start(|builder| builder);
    let mut client = served.connect();
    client.send(&format!(
        "GET /first HTTP/1.1\r\nhost: test\r\n\r\n{SUBSCRIBE}\r\nGET /third HTTP/1.1\r\nhost: test\r\n\r\n"
    ));
    let first = client.until(b"/first");
    assert!(first.starts_with("HTTP/1.1 200 OK\r\n"), "{first}");
    let head = client.until(b"\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("text/event-stream"), "{head}");
    assert!(head.contains("connection: close\r\n"), "{head}");
    assert_eq!(client.until(b":\n\n"), ":\n\n");
    let expected = publish(&served.hub, 0..3, 10);
    assert_eq!([client.event(), client.event(), client.event()].concat(), expected);
}

#[test]
fn a_client_that_writes_after_its_request_keeps_its_stream_until_it_writes_too_much() {
    let served = Served::start(|builder| builder);
    let mut client = served.subscribe("match=x", "");
    for round in 0..4 {
        client.send(&"?".repeat(1000));
        let expected = publish(&served.hub, round..round + 1, 10);
        assert_eq!(client.event(), expected);
    }
    client.send(&"?".repeat(1000));
    wait_for_subscribers(&served.hub, 0);
    assert_eq!(served.hub.metrics().cut_talks_total.value(), 1);
}

#[test]
fn a_reset_is_noticed_at_once_and_hurts_nobody_else() {
    let served = Served::start(|builder| builder);
    let mut healthy = served.subscribe("match=x", "");
    let clients: Vec<_> = (0..50).map(|_| served.subscribe("match=x", "")).collect();
    wait_for_subscribers(&served.hub, 51);
    for client in &clients {
        SockRef::from(&client.stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }
    drop(clients);
    wait_for_subscribers(&served.hub, 1);
    let expected = publish(&served.hub, 0..1, 10);
    assert_eq!(healthy.event(), expected);
}

#[test]
fn an_expectation_is_met_with_and_without_a_body() {
    let served = Served::start(|builder| builder);
    let mut bare = served.connect();
    bare.send(&format!("{SUBSCRIBE}expect: 100-continue\r\n\r\n"));
    let mut with_body = served.connect();
    with_body.send(&format!("{SUBSCRIBE}expect: 100-continue\r\ncontent-length: 4\r\n\r\nbody"));
    let heads = [bare.until(b"\r\n\r\n"), with_body.until(b"\r\n\r\n")];
    assert!(heads.iter().all(|head| head.starts_with("HTTP/1.1 200 OK\r\n")), "{heads:?}");
    // What has a body stays with hyper, which frames it by chunks.
    assert!(!heads[0].contains("chunked") && heads[1].contains("chunked"), "{heads:?}");
    wait_for_subscribers(&served.hub, 2);
    let expected = publish(&served.hub, 0..1, 10);
    assert_eq!(bare.event(), expected);
    let body = with_body.until(expected.as_bytes());
    assert!(body.contains(":\n\n"), "{body}");
}

#[test]
fn http_1_0_gets_a_stream_that_ends_with_the_connection() {
    let mut served = Served::start(|builder| builder);
    let mut client = served.connect();
    client.send("GET /.well-known/mercure?match=x HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    let head = client.until(b"\r\n\r\n");
    assert!(!head.contains("transfer-encoding") && head.contains("connection: close"), "{head}");
    wait_for_subscribers(&served.hub, 1);
    let expected = publish(&served.hub, 0..2, 10);
    served.stop();
    let received = events(&client.end().unwrap());
    assert!(received.starts_with(&expected), "{received}");
}

#[test]
fn a_reader_with_the_smallest_window_gets_everything_byte_by_byte() {
    let served = Served::start(|builder| builder);
    let mut tiny = with_window(served.address, 1);
    let mut healthy = served.subscribe("match=x", "");
    wait_for_subscribers(&served.hub, 2);
    let expected = publish(&served.hub, 0..60, 3000);
    let received: String = (0..60).map(|_| healthy.event()).collect();
    assert_eq!(received, expected);
    let (mut got, mut byte) = (Vec::new(), [0]);
    while !got.ends_with(expected.as_bytes()) {
        assert_eq!(tiny.read(&mut byte).unwrap(), 1, "the stream ended after {} bytes", got.len());
        got.push(byte[0]);
    }
    assert_eq!(served.hub.metrics().subscribers.value(), 2);
}

#[test]
fn sub_7_a_reader_that_stops_is_cut_by_each_limit_and_counted() {
    let cut = |limits: BacklogLimits, size: usize| {
        let served = Served::start(|builder| builder.backlog_limits(limits));
        let mut stuck = with_window(served.address, 1);
        let mut healthy = served.subscribe("match=x", "");
        wait_for_subscribers(&served.hub, 2);
        let mut number = 0;
        while served.hub.metrics().subscribers.value() == 2 {
            let expected = publish(&served.hub, number..number + 1, size);
            assert_eq!(healthy.event(), expected);
            number += 1;
        }
        let metrics = Arc::clone(served.hub.metrics());
        let mut rest = Vec::new();
        // The end may be a reset: the client did not read what it was sent.
        if stuck.read_to_end(&mut rest).is_ok() {
            assert!(!rest.is_empty());
        }
        metrics
    };
    let all =
        BacklogLimits { max_bytes: 1 << 30, max_frames: 1 << 20, max_stall_ms: 600_000, max_total: 1 << 30 };
    assert_eq!(cut(BacklogLimits { max_bytes: 50_000, ..all }, 3000).cut_bytes_total.value(), 1);
    assert_eq!(cut(BacklogLimits { max_frames: 20, ..all }, 3000).cut_frames_total.value(), 1);
    assert_eq!(cut(BacklogLimits { max_stall_ms: 1, ..all }, 3000).cut_stalled_total.value(), 1);
    assert_eq!(cut(BacklogLimits { max_total: 100_000, ..all }, 3000).cut_budget_total.value(), 1);
}

#[test]
fn unread_input_does_not_turn_the_end_into_a_reset() {
    let mut served = Served::start(|builder| builder);
    let mut clients: Vec<Client> = (0..20).map(|_| served.subscribe("match=x", "")).collect();
    wait_for_subscribers(&served.hub, 20);
    let expected = publish(&served.hub, 0..5, 1000);
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = clients
        .iter()
        .map(|client| {
            let (mut stream, done) = (client.stream.try_clone().unwrap(), Arc::clone(&done));
            std::thread::spawn(move || {
                for _ in 0..100 {
                    // The hub may have closed already; then there is nothing left to disturb.
                    if done.load(Ordering::SeqCst) || stream.write_all(b"0123456789").is_err() {
                        return;
                    }
                    std::thread::yield_now();
                }
            })
        })
        .collect();
    wait_for_subscribers(&served.hub, 20);
    for writer in writers {
        writer.join().unwrap();
    }
    served.stop();
    done.store(true, Ordering::SeqCst);
    for client in &mut clients {
        let received = events(&client.end().unwrap());
        let (received, retry) = received.rsplit_once("retry: ").unwrap();
        assert!(retry.ends_with("\n\n"));
        assert_eq!(received, expected);
    }
}

#[test]
fn a_hub_that_stops_with_full_inboxes_leaves_whole_prefixes_and_ends_every_stream() {
    let mut served = Served::start(|builder| builder);
    let mut clients: Vec<Client> = (0..20).map(|_| served.subscribe("match=x", "")).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let publisher = {
        let (hub, stop) = (served.hub.clone(), Arc::clone(&stop));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for number in 0.. {
                let update = Update::new(Topic::new("x").unwrap())
                    .with_id(EventId::new(&format!("urn:{number}")).unwrap())
                    .with_data("y");
                // Publishing fails once the hub is closed.
                if stop.load(Ordering::SeqCst) || runtime.block_on(hub.publish(update, None)).is_err() {
                    return;
                }
            }
        })
    };
    // Newcomers are queued behind the updates.
    let address = served.address;
    let newcomers: Vec<_> = (0..20).map(|_| with_window(address, 1 << 16)).collect();
    let readers: Vec<_> = clients
        .drain(..)
        .map(|mut client| std::thread::spawn(move || client.rest()))
        .chain(newcomers.into_iter().map(|mut stream| {
            std::thread::spawn(move || {
                let mut all = Vec::new();
                // One that was never served may be reset.
                let ended = stream.read_to_end(&mut all);
                assert!(ended.is_ok() || all.is_empty() || all.ends_with(b"\n\n"));
                let head = all.windows(4).position(|end| end == b"\r\n\r\n").map_or(all.len(), |at| at + 4);
                all.split_off(head)
            })
        }))
        .collect();
    while served.hub.metrics().deliveries_total.value() < 1000 {
        std::thread::yield_now();
    }
    served.stop();
    stop.store(true, Ordering::SeqCst);
    publisher.join().unwrap();
    for reader in readers {
        let received = events(&reader.join().unwrap());
        let ids: Vec<usize> = received
            .lines()
            .filter_map(|line| line.strip_prefix("id: urn:"))
            .map(|number| number.parse().unwrap())
            .collect();
        assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ids:?}");
    }
    assert_eq!(served.hub.metrics().subscribers.value(), 0);
}

#[test]
fn many_clients_that_leave_at_once_leave_nothing_behind() {
    let served = Served::start(|builder| builder);
    let before = served.hub.metrics().classes.value();
    let clients: Vec<Client> =
        (0..300).map(|n| served.subscribe(&format!("match=x&match=y{n}"), "")).collect();
    wait_for_subscribers(&served.hub, 300);
    for client in &clients {
        client.stream.shutdown(Shutdown::Both).unwrap();
    }
    drop(clients);
    wait_for_subscribers(&served.hub, 0);
    while served.hub.metrics().classes.value() != before {
        std::thread::yield_now();
    }
    assert_eq!(served.hub.metrics().backlog_bytes.value(), 0);
}

#[test]
fn the_listener_takes_a_storm_before_anyone_is_accepted() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let listener = petasos_hub::server::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    // Many times the usual backlog of 128; one that is dropped would be tried again for longer than this.
    let patience = std::time::Duration::from_secs(30);
    let storm: Vec<_> = (0..800).map(|_| std::net::TcpStream::connect_timeout(&address, patience)).collect();
    assert!(storm.iter().all(Result::is_ok));
}

#[cfg(target_os = "linux")]
#[test]
fn a_slow_reader_is_seen_before_the_kernel_has_buffered_much_for_it() {
    let limits = BacklogLimits { max_bytes: 1, ..BacklogLimits::default() };
    let served = Served::start(|builder| builder.backlog_limits(limits));
    let stuck = with_window(served.address, 1);
    wait_for_subscribers(&served.hub, 1);
    let mut sent = 0;
    while served.hub.metrics().subscribers.value() == 1 {
        publish(&served.hub, sent..sent + 1, 1000);
        sent += 1;
    }
    assert_eq!(served.hub.metrics().cut_bytes_total.value(), 1);
    // Left to itself the kernel takes megabytes.
    assert!(sent < 400, "{sent} kB were sent before it was seen");
    drop(stuck);
}
