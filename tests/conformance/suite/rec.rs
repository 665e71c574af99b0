//! REC: reconnecting.

use std::collections::HashSet;
use std::thread;

use petasos_conformance::{Hub, bearer, borrow, form, id, next_of, topic};
use petasos_testkit::Stream;
use serde_json::json;

fn header<'a>(stream: &'a Stream, name: &str) -> Option<&'a str> {
    stream.head.header(name)
}

fn fill(hub: &Hub, name: &str, count: usize) -> Vec<String> {
    (0..count).map(|_| hub.publish(&[("topic", name)])).collect()
}

#[test]
fn rec_1_a_cursor_brings_what_came_after_it_and_then_what_comes() {
    let hub = Hub::get();
    let name = topic("x");
    let ids = fill(&hub, &name, 5);
    let mut by_header = hub.subscribe(&[("match", &name)], &[("last-event-id", &ids[1])]);
    let mut by_parameter = hub.subscribe(&[("match", &name), ("last_event_id", &ids[1])], &[]);
    let mut by_both =
        hub.subscribe(&[("match", &name), ("last_event_id", &ids[4])], &[("Last-Event-ID", &ids[1])]);
    let live = hub.publish(&[("topic", &name)]);
    for stream in [&mut by_header, &mut by_parameter, &mut by_both] {
        for expected in ids[2..].iter().chain([&live]) {
            assert_eq!(stream.next_event().unwrap().id.as_ref(), Some(expected));
        }
    }
}

#[test]
fn rec_1_what_is_replayed_is_what_matches_and_what_may_be_read_now() {
    let hub = Hub::get();
    let (mine, other) = (topic("mine"), topic("other"));
    let first = hub.publish(&[("topic", &mine)]);
    let private = |name: &str| hub.publish(&[("topic", name), ("private", "on")]);
    let (secret, foreign) = (private(&mine), private(&other));
    let public = hub.publish(&[("topic", &other)]);
    let last = hub.publish(&[("topic", &mine)]);
    let ids = [secret.as_str(), &foreign, &public, &last];
    let read = |headers: &[(&str, &str)], fields: &[(&str, &str)]| {
        let mut stream = hub.subscribe(&[&[("last_event_id", first.as_str())], fields].concat(), headers);
        let mut seen = Vec::new();
        while seen.last() != Some(&last) {
            seen.extend(next_of(&mut stream, &ids).id);
        }
        seen
    };
    let both = [("match", mine.as_str()), ("match", &other)];
    assert_eq!(read(&[], &both), [&*public, &last]);
    assert_eq!(read(&[borrow(&hub.reader(&json!([{"match": mine}])))], &both), [&*secret, &public, &last]);
    assert_eq!(read(&[borrow(&hub.everything())], &both), [&*secret, &foreign, &public, &last]);
    assert_eq!(read(&[borrow(&hub.everything())], &both[..1]), [&*secret, &last]);
}

#[test]
fn rec_1_no_gap_and_no_duplicate_while_many_publish_and_many_come_back() {
    const PUBLISHERS: usize = 6;
    const EACH: usize = 60;
    const SUBSCRIBERS: usize = 8;
    let hub = Hub::get();
    let name = topic("x");
    let start = hub.publish(&[("topic", &name)]);
    let (url, token) = (hub.url.clone(), hub.everything());
    let publisher = |number: usize| {
        let (url, name, token) = (url.clone(), name.clone(), token.clone());
        thread::spawn(move || {
            for count in 0..EACH {
                let event = format!("{name}#{number}.{count}");
                let body = form(&[("topic", &name), ("id", &event), ("data", &format!("{number} {count}"))]);
                let headers = [("content-type", "application/x-www-form-urlencoded"), borrow(&token)];
                let reply = petasos_testkit::http::request("POST", &url, &headers, &body).unwrap();
                assert_eq!((reply.head.status, reply.body), (200, event));
            }
        })
    };
    let subscriber = |number: usize| {
        let (url, name, start) = (url.clone(), name.clone(), start.clone());
        thread::spawn(move || {
            let (mut cursor, mut seen) = (start, HashSet::new());
            let mut next = [0; PUBLISHERS];
            // Each takes a few events, hangs up, and comes back with its cursor, until it has them all.
            while seen.len() < PUBLISHERS * EACH {
                let query = form(&[("match", &name), ("last_event_id", &cursor)]);
                let mut stream = Stream::open(&format!("{url}?{query}"), &[]).unwrap();
                assert_eq!(stream.head.header("mercure-last-event-id"), Some(cursor.as_str()));
                for _ in 0..17 + number * 13 {
                    let event = stream.next_event().unwrap();
                    let (by, count) = event.data.split_once(' ').unwrap();
                    let (by, count): (usize, usize) = (by.parse().unwrap(), count.parse().unwrap());
                    assert_eq!(
                        count, next[by],
                        "subscriber {number}, publisher {by}: a gap, or out of order"
                    );
                    next[by] += 1;
                    cursor = event.id.unwrap();
                    assert!(seen.insert(cursor.clone()), "subscriber {number}: {cursor} came twice");
                    if seen.len() == PUBLISHERS * EACH {
                        break;
                    }
                }
            }
        })
    };
    let threads: Vec<_> = (0..PUBLISHERS).map(publisher).chain((0..SUBSCRIBERS).map(subscriber)).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn rec_2_earliest_is_the_whole_history() {
    let hub = Hub::get();
    let name = topic("x");
    let ids = fill(&hub, &name, 3);
    let mut by_parameter = hub.subscribe(&[("match", &name), ("last_event_id", "earliest")], &[]);
    let mut by_header = hub.subscribe(&[("match", &name)], &[("last-event-id", "earliest")]);
    for stream in [&mut by_parameter, &mut by_header] {
        assert_eq!(header(stream, "mercure-last-event-id"), Some("earliest"));
        for expected in &ids {
            assert_eq!(stream.next_event().unwrap().id.as_ref(), Some(expected));
        }
    }
}

#[test]
fn rec_2_an_unknown_id_invents_nothing_and_says_so() {
    let hub = Hub::get();
    let name = topic("x");
    fill(&hub, &name, 3);
    for unknown in ["urn:uuid:00000000-0000-7000-8000-000000000000", "Earliest", "#1", "x y", "%"] {
        let mut stream = hub.subscribe(&[("match", &name), ("last_event_id", unknown)], &[]);
        assert_eq!(header(&stream, "mercure-last-event-id"), Some("earliest"), "{unknown}");
        let live = hub.publish(&[("topic", &name)]);
        assert_eq!(stream.next_event().unwrap().id, Some(live), "{unknown}");
    }
}

#[test]
fn rec_3_the_answer_names_the_cursor_if_and_only_if_there_was_one() {
    let hub = Hub::get();
    let name = topic("x");
    let event_id = id("caf\u{e9}");
    hub.publish(&[("topic", &name), ("id", &event_id)]);
    for headers in [&[("last-event-id", event_id.as_str())][..], &[]] {
        let fields: &[(&str, &str)] = &[("match", &name), ("last_event_id", &event_id)];
        let stream = hub.subscribe(&fields[..2 - headers.len()], headers);
        assert_eq!(header(&stream, "mercure-last-event-id"), Some(event_id.as_str()));
    }
    let plain = hub.subscribe(&[("match", &name)], &[]);
    assert_eq!(header(&plain, "mercure-last-event-id"), None);
}

#[test]
fn rec_4_of_a_repeated_id_the_first_occurrence_is_the_cursor() {
    let hub = Hub::get();
    let (name, repeated) = (topic("x"), id("twice"));
    let publish = |id: &str| hub.publish(&[("topic", &name), ("id", id)]);
    publish(&repeated);
    let between = hub.publish(&[("topic", &name)]);
    publish(&repeated);
    let last = hub.publish(&[("topic", &name)]);
    let mut stream = hub.subscribe(&[("match", &name), ("last_event_id", &repeated)], &[]);
    for expected in [&between, &repeated, &last] {
        assert_eq!(stream.next_event().unwrap().id.as_ref(), Some(expected));
    }
}

#[test]
fn rec_1_a_token_that_has_shrunk_gets_less_of_the_history() {
    let hub = Hub::get();
    let name = topic("x");
    let wide = hub.reader(&json!([{"match": "*"}]));
    let mut stream = hub.subscribe(&[("match", &name)], &[borrow(&wide)]);
    let first = hub.publish(&[("topic", &name), ("private", "on")]);
    assert_eq!(stream.next_event().unwrap().id.as_ref(), Some(&first));
    drop(stream);
    hub.publish(&[("topic", &name), ("private", "on")]);
    let public = hub.publish(&[("topic", &name)]);
    let narrow = bearer(&hub.token(&["subscribe"], &json!([{"match": "https://example.com/else"}])));
    let mut stream = hub.subscribe(&[("match", &name), ("last_event_id", &first)], &[borrow(&narrow)]);
    assert_eq!(stream.next_event().unwrap().id, Some(public));
}
