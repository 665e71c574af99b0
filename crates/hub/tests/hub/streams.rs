//! What happens on sockets: both delivery paths, and clients that behave in every way that clients do.

use std::io::{Read, Write};
use std::net::Shutdown;

use petasos_protocol::{EventId, Topic, Update};

use crate::support::Served;

#[test]
fn a_half_closed_client_still_receives() {
    let served = Served::start(|builder| builder);
    let mut client = served.subscribe("match=x", "");
    client.stream.shutdown(Shutdown::Write).unwrap();
    served.publish("topic=x&id=urn:1");
    assert_eq!(client.event(), "id: urn:1\ndata: \n\n");
}

#[test]
fn a_client_that_is_gone_is_noticed_without_an_event() {
    let served = Served::start(|builder| builder);
    let client = served.subscribe("match=x", "");
    assert_eq!(served.hub.metrics().subscribers.value(), 1);
    drop(client);
    while served.hub.metrics().subscribers.value() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn a_subscription_on_a_kept_alive_connection_and_on_http_1_0_is_served() {
    let served = Served::start(|builder| builder);
    let mut kept = served.connect();
    kept.send("GET /first HTTP/1.1\r\nhost: test\r\n\r\n");
    kept.until(b"/first");
    kept.send("GET /.well-known/mercure?match=x HTTP/1.1\r\nhost: test\r\n\r\n");
    kept.until(b":\n\n");
    let mut old = served.connect();
    old.send("GET /.well-known/mercure?match=x HTTP/1.0\r\n\r\n");
    old.until(b":\n\n");
    served.publish("topic=x&id=urn:1");
    assert_eq!(kept.event(), "id: urn:1\ndata: \n\n");
    assert_eq!(old.event(), "id: urn:1\ndata: \n\n");
}

#[test]
fn a_client_that_never_reads_is_cut_and_the_others_get_everything() {
    let served = Served::start(|builder| builder);
    let stuck = served.subscribe("match=x", "");
    let mut healthy = served.subscribe("match=x", "");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for number in 0..4000 {
        let id = EventId::new(&format!("urn:{number}")).unwrap();
        let update = Update::new(Topic::new("x").unwrap()).with_id(id).with_data("x".repeat(2000));
        runtime.block_on(served.hub.publish(update, None)).unwrap();
        assert!(healthy.event().starts_with(&format!("id: urn:{number}\n")));
    }
    let metrics = served.hub.metrics();
    assert_eq!(metrics.cut_bytes_total.value() + metrics.cut_frames_total.value(), 1);
    drop(stuck);
}

#[test]
fn http_2_gets_the_same_bytes() {
    let served = Served::start(|builder| builder);
    let mut raw = served.subscribe("match=x", "");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let over_http_2 = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(served.address).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get(format!("{}?match=x", served.url()))
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!((response.version(), response.status().as_u16()), (http::Version::HTTP_2, 200));
        let mut body = response.into_body();
        let hub = served.hub.clone();
        for id in ["urn:1", "urn:2"] {
            let update =
                Update::new(Topic::new("x").unwrap()).with_id(EventId::new(id).unwrap()).with_data("a\nb");
            hub.publish(update, None).await.unwrap();
        }
        let mut received = Vec::new();
        while !received.ends_with(b"id: urn:2\ndata: a\ndata: b\n\n") {
            let frame = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
            received.extend_from_slice(frame.data_ref().unwrap());
        }
        received
    });
    let over_http_1 = [raw.event(), raw.event()].concat();
    assert_eq!(String::from_utf8(over_http_2).unwrap(), format!(":\n\n{over_http_1}"));
}

#[test]
fn shutting_down_ends_the_streams_and_answers_what_is_under_way() {
    let mut served = Served::start(|builder| builder);
    let mut client = served.subscribe("match=x", "");
    served.publish("topic=x&id=urn:1");
    served.stop();
    assert_eq!(client.rest(), b"id: urn:1\ndata: \n\nretry: 500\n\n");
}

#[test]
fn connections_on_which_nothing_ever_came_do_not_delay_the_shutdown() {
    let mut served = Served::start(|builder| builder);
    let mut silent: Vec<_> = (0..3).map(|_| served.connect()).collect();
    let mut idle = served.connect();
    idle.send("GET /first HTTP/1.1\r\nhost: test\r\n\r\n");
    idle.until(b"/first");
    // Ten seconds is what requests under way are given; nothing is under way.
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        served.stop();
        done.send(()).unwrap();
    });
    wait.recv_timeout(std::time::Duration::from_secs(9)).unwrap();
    assert!(silent.iter_mut().all(|client| client.rest().is_empty()));
}

#[test]
fn garbage_ends_its_connection_and_nothing_else() {
    let served = Served::start(|builder| builder);
    let mut client = served.subscribe("match=x", "");
    for garbage in
        ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"]
    {
        let mut other = served.connect();
        other.stream.write_all(garbage.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A reset is as good an end as any.
        if other.stream.read_to_end(&mut answer).is_ok() {
            assert!(!answer.starts_with(b"HTTP/1.1 2"), "{garbage:?}");
        }
    }
    served.publish("topic=x&id=urn:1");
    assert_eq!(client.event(), "id: urn:1\ndata: \n\n");
}

#[test]
fn a_stream_of_http_2_that_nobody_reads_is_cut_and_its_neighbour_on_the_connection_stays() {
    let served = Served::start(|builder| builder);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(served.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new())
                .initial_stream_window_size(10_000)
                .handshake(hyper_util::rt::TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        let mut open = async || {
            let request = http::Request::get(format!("{}?match=x", served.url()))
                .body(http_body_util::Empty::<bytes::Bytes>::new())
                .unwrap();
            sender.send_request(request).await.unwrap().into_body()
        };
        let (stuck, mut healthy) = (open().await, open().await);
        while served.hub.metrics().subscribers.value() < 2 {
            tokio::task::yield_now().await;
        }
        let mut number = 0;
        while served.hub.metrics().subscribers.value() == 2 {
            let id = EventId::new(&format!("urn:{number}")).unwrap();
            let update = Update::new(Topic::new("x").unwrap()).with_id(id).with_data("y".repeat(3000));
            served.hub.publish(update, None).await.unwrap();
            let mut received = Vec::new();
            while !received.ends_with(b"y\n\n") {
                let frame = http_body_util::BodyExt::frame(&mut healthy).await.unwrap().unwrap();
                received.extend_from_slice(frame.data_ref().unwrap());
            }
            number += 1;
        }
        assert_eq!(served.hub.metrics().cut_bytes_total.value(), 1);
        let whole = http_body_util::BodyExt::collect(stuck).await.unwrap().to_bytes();
        assert!(whole.len() < 3000 * number, "it got everything");
    });
}
