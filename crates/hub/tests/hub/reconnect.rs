//! REC.

use std::collections::HashSet;

use petasos_protocol::{EventId, Topic, Update};

use crate::support::{Served, header};

fn fill(served: &Served, count: u32) {
    for number in 1..=count {
        let reply = served.publish(&format!("topic=https://example.com/{}&id=urn:{number}", number % 2));
        assert_eq!(reply.status, 200);
    }
}

#[test]
fn rec_1_and_3_a_cursor_brings_everything_after_it_then_live() {
    let served = Served::start(|builder| builder);
    fill(&served, 6);
    let mut by_header =
        served.subscribe("match=https://example.com/0&last_event_id=urn:1", "last-event-id: urn:2\r\n");
    assert_eq!(header(&by_header.head, "mercure-last-event-id"), Some("urn:2"));
    let mut by_query = served.subscribe("match=https://example.com/0&last_event_id=urn:2", "");
    served.publish("topic=https://example.com/0&id=urn:live");
    for client in [&mut by_header, &mut by_query] {
        for id in ["urn:4", "urn:6", "urn:live"] {
            assert_eq!(client.event(), format!("id: {id}\ndata: \n\n"));
        }
    }
}

#[test]
fn rec_2_earliest_is_all_and_an_unknown_id_invents_nothing() {
    let served = Served::start(|builder| builder);
    fill(&served, 2);
    let mut earliest = served.subscribe("match=*&last_event_id=earliest", "");
    assert_eq!(header(&earliest.head, "mercure-last-event-id"), Some("earliest"));
    assert_eq!(earliest.event(), "id: urn:1\ndata: \n\n");
    assert_eq!(earliest.event(), "id: urn:2\ndata: \n\n");
    let mut unknown = served.subscribe("match=*", "last-event-id: urn:nope\r\n");
    assert_eq!(header(&unknown.head, "mercure-last-event-id"), Some("earliest"));
    served.publish("topic=x&id=urn:new");
    assert_eq!(unknown.event(), "id: urn:new\ndata: \n\n");
    let garbled = served.subscribe_bytes(b"match=*&last_event_id=urn:1", b"last-event-id: \xff\r\n");
    assert_eq!(header(&garbled.head, "mercure-last-event-id"), Some("earliest"), "the header wins");
    let plain = served.subscribe("match=*", "");
    assert_eq!(header(&plain.head, "mercure-last-event-id"), None);
}

#[test]
fn rec_3_an_id_that_is_not_ascii_is_echoed_too() {
    let served = Served::start(|builder| builder);
    served.publish("topic=x&id=urn:caf%C3%A9");
    let client = served.subscribe("match=*&last_event_id=urn:caf%C3%A9", "");
    assert_eq!(header(&client.head, "mercure-last-event-id"), Some("urn:caf\u{e9}"));
}

#[test]
fn rec_4_a_repeated_id_counts_from_its_first_occurrence() {
    let served = Served::start(|builder| builder);
    for id in ["urn:a", "urn:b", "urn:a", "urn:c"] {
        served.publish(&format!("topic=x&id={id}"));
    }
    let mut client = served.subscribe("match=x&last_event_id=urn:a", "");
    for id in ["urn:b", "urn:a", "urn:c"] {
        assert_eq!(client.event(), format!("id: {id}\ndata: \n\n"));
    }
}

#[test]
fn rec_1_no_gap_and_no_duplicate_while_publishers_are_active() {
    let served = Served::start(|builder| builder);
    let publish = |hub: petasos_hub::Hub, publisher: u32| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for number in 0..2000 {
            let id = EventId::new(&format!("urn:{publisher}:{number}")).unwrap();
            runtime.block_on(hub.publish(Update::new(Topic::new("x").unwrap()).with_id(id), None)).unwrap();
        }
    };
    let publishers: Vec<_> = (0..2)
        .map(|publisher| {
            let hub = served.hub.clone();
            std::thread::spawn(move || publish(hub, publisher))
        })
        .collect();
    let clients: Vec<_> = (0..6)
        .map(|_| {
            let mut client = served.subscribe("match=x&last_event_id=earliest", "");
            std::thread::spawn(move || {
                let (mut seen, mut last) = (HashSet::new(), [0u32; 2]);
                while seen.len() < 4000 {
                    let event = client.event();
                    let id = event.strip_prefix("id: urn:").unwrap().lines().next().unwrap().to_owned();
                    let (publisher, number) = id.split_once(':').unwrap();
                    let (publisher, number): (usize, u32) =
                        (publisher.parse().unwrap(), number.parse().unwrap());
                    assert_eq!(number, last[publisher], "publisher {publisher} is out of order");
                    last[publisher] += 1;
                    assert!(seen.insert(id), "a duplicate");
                }
            })
        })
        .collect();
    for thread in publishers.into_iter().chain(clients) {
        thread.join().unwrap();
    }
}
