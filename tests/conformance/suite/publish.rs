//! PUB: publishing.

use petasos_conformance::{Feature, Hub, assert_problem, bearer, borrow, form, id, next_of, topic};
use serde_json::json;

/// What a hub answers to a form whose sender may publish everything.
fn answer(hub: &Hub, form: &str) -> petasos_testkit::http::Response {
    hub.try_publish(form, &[borrow(&hub.everything())])
}

#[test]
fn pub_1_only_forms_are_taken() {
    let hub = Hub::get();
    let (token, body) = (hub.everything(), form(&[("topic", "x")]));
    for media_type in ["application/json", "multipart/form-data; boundary=x", "text/plain", ""] {
        let reply = hub.request("POST", "", &[borrow(&token), ("content-type", media_type)], &body);
        assert_problem(&reply, 415, "application/x-www-form-urlencoded");
    }
    assert_problem(
        &hub.request("POST", "", &[borrow(&token)], &body),
        415,
        "application/x-www-form-urlencoded",
    );
    for media_type in
        ["application/x-www-form-urlencoded; charset=utf-8", "Application/X-WWW-Form-URLEncoded"]
    {
        let reply = hub.request("POST", "", &[borrow(&token), ("content-type", media_type)], &body);
        assert_eq!(reply.head.status, 200, "{media_type}: {reply:?}");
    }
}

#[test]
fn pub_1_a_malformed_body_is_a_400_and_a_large_one_a_413() {
    let hub = Hub::get();
    for (body, word) in [
        ("", "topic"),
        ("data=x", "topic"),
        ("topic=x&data=%FF", "data"),
        ("topic=%C3%28", "topic"),
        ("%FF=x&topic=x", "UTF-8"),
    ] {
        assert_problem(&answer(&hub, body), 400, word);
    }
    let Some(hub) = Hub::with(Feature::Limits) else { return };
    assert_problem(&answer(&hub, &format!("topic=x&data={}", "x".repeat(1 << 20))), 413, "1048576");
    // As large as it may be.
    let whole = format!("topic=x&data={}", "x".repeat((1 << 20) - "topic=x&data=".len()));
    assert_eq!(answer(&hub, &whole).head.status, 200);
}

#[test]
fn pub_2_every_field_is_taken_and_unknown_ones_are_ignored() {
    let hub = Hub::get();
    let (first, second, event_id) = (topic("1"), topic("2"), id("x"));
    let mut by_first = hub.subscribe(&[("match", &first)], &[]);
    let mut by_second = hub.subscribe(&[("match", &second)], &[]);
    let fields = [
        ("topic", first.as_str()),
        ("topic", &second),
        ("data", "d"),
        ("id", &event_id),
        ("type", "note"),
        ("retry", "1500"),
        ("unheard-of", "x"),
        ("Topic", "*"),
        ("PRIVATE", "on"),
    ];
    assert_eq!(hub.publish(&fields), event_id);
    for stream in [&mut by_first, &mut by_second] {
        let event = stream.next_event().unwrap();
        assert_eq!(
            (event.id.as_ref(), event.event.as_deref(), event.data.as_str()),
            (Some(&event_id), Some("note"), "d")
        );
        assert!(event.raw.lines().any(|line| line == "retry: 1500" || line == "retry:1500"), "{event:?}");
    }
}

#[test]
fn pub_2_private_counts_by_its_presence() {
    let hub = Hub::get();
    let name = topic("x");
    let mut stream = hub.subscribe(&[("match", &name)], &[]);
    for value in ["", "0", "false", "off", "on"] {
        hub.publish(&[("topic", &name), ("private", value)]);
    }
    assert_eq!(answer(&hub, &format!("{}&private", form(&[("topic", &name)]))).head.status, 200);
    let public = hub.publish(&[("topic", &name)]);
    assert_eq!(stream.next_event().unwrap().id, Some(public), "all the others were private");
}

#[test]
fn pub_3_what_may_not_be_a_topic_is_a_400_whoever_asks() {
    let hub = Hub::get();
    for value in
        ["*", "a%00b", "a%0Ab", "a%7Fb", "%C2%85", "a%E2%80%8Bb", "%EF%BB%BFa", "a%C2%ADb", "%F3%A0%81%BF"]
    {
        for body in [format!("topic={value}"), format!("topic=x&topic={value}")] {
            assert_problem(&hub.try_publish(&body, &[]), 400, "topic");
            assert_problem(&hub.try_publish(&body, &[("authorization", "Bearer nonsense")]), 400, "topic");
            assert_problem(&answer(&hub, &body), 400, "topic");
        }
    }
}

#[test]
fn pub_3_the_hubs_own_namespace_is_closed_in_every_spelling() {
    let hub = Hub::get();
    let path = hub.path().to_owned();
    let last = path.rsplit('/').next().unwrap();
    let spelled = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let parent = &path[..path.len() - last.len()];
    let reserved = [
        path.clone(),
        format!("{path}/"),
        format!("{path}/subscriptions/exact/x/y"),
        hub.url.clone(),
        format!("{}?x#y", hub.url),
        format!("https://other.example:8443{path}/x"),
        format!("//other.example{path}"),
        format!("ws://user:pass@other.example{path}/x"),
        format!("other:{path}/x"),
        format!("{parent}{}", spelled(last)),
        format!("{parent}{}/x", spelled(last).to_ascii_uppercase().replace("%6D", "m")),
        format!("/x/..{path}"),
        format!("/%2e%2E{path}/x"),
        format!("{parent}./x/../{last}"),
        format!("{path}/../{last}/x"),
        path.replace('/', "\\"),
        format!(" {path}"),
        last.to_owned(),
        format!("./{last}/x"),
        String::new(),
        "?x".to_owned(),
        "#x".to_owned(),
    ];
    for value in &reserved {
        for fields in [vec![("topic", value.as_str())], vec![("topic", "x"), ("topic", value)]] {
            let reply = hub.try_publish(&form(&fields), &[]);
            assert_problem(&reply, 400, "topic");
        }
    }
    let free = [
        format!("{path}2"),
        format!("/x{path}"),
        path.to_ascii_uppercase(),
        path.replacen("/", "/%2F", 1),
        format!("{parent}%256D{}", &last[1..]),
        format!("https://example.com/?{path}"),
        "http://[".to_owned(),
    ];
    for value in &free {
        assert_eq!(answer(&hub, &form(&[("topic", value)])).head.status, 200, "{value}");
    }
}

#[test]
fn pub_4_ids_are_checked_and_made_where_there_are_none() {
    let hub = Hub::get();
    for value in ["%23", "%23x", "earliest", "", "a%0Ab", "a%00", "a%0Db", "%C2%9F", "a%E2%80%8B"] {
        assert_problem(&answer(&hub, &format!("topic=x&id={value}")), 400, "id");
    }
    let made: Vec<String> = (0..4).map(|_| hub.publish(&[("topic", "x")])).collect();
    for id in &made {
        // An IRI, or a fragment of the hub's own.
        assert!(
            id.starts_with('#')
                || id.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty()),
            "{id}"
        );
        assert_eq!(made.iter().filter(|other| *other == id).count(), 1);
    }
    if hub.process.is_some() {
        assert!(made.iter().all(|id| id.starts_with("urn:uuid:") && id.as_bytes()[23] == b'7'), "{made:?}");
        assert!(made.is_sorted(), "{made:?}");
    }
}

#[test]
fn pub_4_ids_may_be_random() {
    let Some(hub) = Hub::configured(&["--event-ids", "random"]) else { return };
    let made: Vec<String> = (0..8).map(|_| hub.publish(&[("topic", "x")])).collect();
    assert!(made.iter().all(|id| id.starts_with("urn:uuid:") && id.as_bytes()[23] == b'4'), "{made:?}");
}

#[test]
fn pub_5_types_and_reconnection_times_are_checked() {
    let hub = Hub::get();
    for value in ["a%0Ab", "a%0D", "%00", "%7F", "%C2%80", "a%E2%80%8B", "mercure"] {
        assert_problem(&answer(&hub, &format!("topic=x&type={value}")), 400, "type");
    }
    for value in ["", "x", "-1", "%2B1", "1.5", "1s", "%D9%A2", "0x1", "1%20"] {
        assert_problem(&answer(&hub, &format!("topic=x&retry={value}")), 400, "retry");
    }
    assert_eq!(answer(&hub, "topic=x&retry=0&type=Mercure").head.status, 200);
}

#[test]
fn pub_6_a_line_break_in_data_never_starts_another_field() {
    let hub = Hub::get();
    let name = topic("x");
    let mut stream = hub.subscribe(&[("match", &name)], &[]);
    for data in [
        "a\nb\rc\r\nd",
        "\n",
        "\r\n\r\n",
        "x\n\nid: evil\nevent: evil\n\ndata: evil",
        "x\rid: evil\r\rdata: y",
        "\u{2028}x\u{85}",
    ] {
        let id = hub.publish(&[("topic", &name), ("data", data)]);
        let event = stream.next_event().unwrap();
        assert_eq!((event.id, event.event), (Some(id), None), "{data:?}");
        assert_eq!(event.data, data.replace("\r\n", "\n").replace('\r', "\n"));
        assert!(!event.raw.contains('\r'));
    }
}

#[test]
fn pub_7_the_answer_is_the_id_as_text_and_the_event_is_there() {
    let hub = Hub::get();
    let (name, event_id) = (topic("x"), id("caf\u{e9}"));
    let reply = answer(&hub, &form(&[("topic", &name), ("id", &event_id)]));
    assert_eq!((reply.head.status, reply.body.as_str()), (200, event_id.as_str()));
    let media_type = reply.head.header("content-type").unwrap().to_ascii_lowercase().replace(' ', "");
    assert_eq!(media_type, "text/plain;charset=utf-8");
    let mut stream = hub.subscribe(&[("match", &name), ("last_event_id", "earliest")], &[]);
    assert_eq!(stream.next_event().unwrap().id, Some(event_id), "it is in the history by then");
}

#[test]
fn pub_8_every_topic_needs_the_right_to_publish_on_it() {
    let hub = Hub::get();
    let (own, other) = (topic("own"), topic("other"));
    let mut stream = hub.subscribe(&[("match", &own), ("match", &other)], &[]);
    let own_only = bearer(&hub.token(&["publish"], &json!([{"match": own}])));
    let reader = hub.reader(&json!([{"match": "*"}]));
    for (token, topics) in [
        (&own_only, vec![&other]),
        (&own_only, vec![&own, &other]),
        (&own_only, vec![&other, &own]),
        (&reader, vec![&own]),
    ] {
        let fields: Vec<(&str, &str)> = topics.iter().map(|topic| ("topic", topic.as_str())).collect();
        let reply = hub.try_publish(&form(&fields), &[borrow(token)]);
        assert_problem(&reply, 403, if token == &reader { &own } else { &other });
        assert!(
            reply.head.header("www-authenticate").unwrap().contains("error=\"insufficient_scope\""),
            "{reply:?}"
        );
    }
    let reply = hub.try_publish(&form(&[("topic", &own)]), &[borrow(&own_only)]);
    assert_eq!(reply.head.status, 200);
    assert_eq!(stream.next_event().unwrap().id, Some(reply.body), "nothing else was dispatched");
}

#[test]
fn pub_9_a_cookie_publishes_only_from_pages_that_may() {
    let Some(hub) = Hub::with(Feature::Cors) else { return };
    let name = topic("x");
    let mut stream = hub.subscribe(&[("match", &name)], &[]);
    let cookie = format!("{}={}", hub.cookie, hub.token(&["publish"], &json!([{"match": "*"}])));
    let body = form(&[("topic", &name)]);
    let ask = |headers: &[(&str, &str)]| {
        hub.try_publish(&body, &[&[("cookie", cookie.as_str())], headers].concat())
    };
    let page = format!("{}/page", hub.origin());
    let foreign: &[&[(&str, &str)]] = &[
        &[],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("referer", "https://evil.example/https://app.example")],
        &[("referer", "https://app.example.evil.test/")],
        &[("referer", "nonsense")],
        &[("origin", "https://evil.example"), ("referer", &page)],
    ];
    for headers in foreign {
        assert_problem(&ask(headers), 403, "Origin");
    }
    let own = hub.origin().to_owned();
    let mut ids = Vec::new();
    for headers in [
        [("origin", own.as_str())],
        [("origin", "https://app.example")],
        [("referer", &page)],
        [("referer", "https://app.example/x?y")],
    ] {
        let reply = ask(&headers);
        assert_eq!(reply.head.status, 200, "{headers:?}: {reply:?}");
        ids.push(reply.body);
    }
    let known: Vec<&str> = ids.iter().map(String::as_str).collect();
    for id in &ids {
        assert_eq!(next_of(&mut stream, &known).id.as_ref(), Some(id));
    }
}
