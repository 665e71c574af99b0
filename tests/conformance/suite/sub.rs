//! SUB: subscribing.

use petasos_conformance::{Feature, Hub, assert_problem, borrow, form, id, ids_until, next_of, topic};
use petasos_testkit::http;
use serde_json::json;

fn refused(hub: &Hub, query: &str) -> http::Response {
    // A stream that is opened all the same would never end.
    let head = hub.request("HEAD", &format!("?{query}"), &[], "").head;
    assert!(head.status != 200 || query.contains("match=x"), "{query} was taken");
    hub.request("GET", &format!("?{query}"), &[], "")
}

#[test]
fn sub_1_every_parameter_selects_and_a_topic_needs_only_one_of_them() {
    let hub = Hub::get();
    let (a, b, c, d) = (topic("a"), topic("b"), topic("c/1"), topic("d"));
    let pattern = c.replace("/1", "/:x");
    let fields = [("match", a.as_str()), ("match_exact", &b), ("match_urlpattern", &pattern), ("other", &d)];
    let mut stream = hub.subscribe(&fields, &[]);
    let ids: Vec<String> = [&d, &a, &b, &c].map(|topic| hub.publish(&[("topic", topic)])).into();
    for expected in &ids[1..] {
        assert_eq!(stream.next_event().unwrap().id.as_deref(), Some(expected.as_str()));
    }
}

#[test]
fn sub_1_the_query_is_parsed_as_a_form() {
    let hub = Hub::get();
    let name = topic("a b+c&d=\u{e9};%");
    // A plus for the space, and names that are encoded like values.
    let query = form(&[("match", &name)]).replace("%20", "+").replace("match", "%6Datch");
    let url = format!("{}?x&=y&&{query}", hub.url);
    let mut stream = petasos_testkit::Stream::open(&url, &[]).unwrap();
    let id = hub.publish(&[("topic", &name)]);
    assert_eq!(stream.next_event().unwrap().id, Some(id));
}

#[test]
fn sub_1_any_other_name_that_begins_with_match_is_a_400_and_so_is_no_matcher() {
    let hub = Hub::get();
    for name in [
        "Match",
        "MATCH",
        "match_",
        "matchx",
        "match_Exact",
        "MATCH_EXACT",
        "match_regexp",
        "matches",
        "mAtCh_exact",
    ] {
        assert_problem(&refused(&hub, &form(&[("match", "x"), (name, "y")])), 400, name);
    }
    for query in ["", "foo=bar", "last_event_id=earliest", "mat=x", "rematch=x"] {
        assert_problem(&refused(&hub, query), 400, "match");
    }
}

#[test]
fn sub_2_values_hold_no_control_or_format_characters() {
    let hub = Hub::get();
    for char in [
        "%00",
        "%0A",
        "%1F",
        "%7F",
        "%C2%80",
        "%C2%9F",
        "%C2%AD",
        "%D8%9C",
        "%E2%80%8B",
        "%E2%80%AE",
        "%EF%BB%BF",
        "%F3%A0%80%81",
    ] {
        for name in ["match", "match_exact", "match_urlpattern"] {
            assert_problem(&refused(&hub, &format!("{name}=/a{char}b")), 400, name);
        }
    }
    for bytes in ["%FF", "%C3", "a%ED%A0%80", "%C0%80"] {
        assert_problem(&refused(&hub, &format!("match={bytes}")), 400, "UTF-8");
    }
}

#[test]
fn sub_2_a_malformed_pattern_is_a_400_that_shows_it() {
    let hub = Hub::get();
    for pattern in ["https://[", "/(", "/{a", "/:a/:a", "/(?<x>a)", "/a/(*"] {
        assert_problem(&refused(&hub, &form(&[("match_urlpattern", pattern)])), 400, "match_urlpattern");
    }
}

#[test]
fn sub_3_a_star_matches_everything_whatever_the_type() {
    let hub = Hub::get();
    for name in ["match", "match_exact", "match_urlpattern"] {
        let mut stream = hub.subscribe(&[(name, "*")], &[]);
        // The last one is no URL reference.
        let ids: Vec<String> = [topic("x"), id("urn"), "http://[".to_owned(), "\u{e9} x".to_owned()]
            .map(|topic| hub.publish(&[("topic", &topic)]))
            .into();
        let known: Vec<&str> = ids.iter().map(String::as_str).collect();
        for expected in &ids {
            assert_eq!(next_of(&mut stream, &known).id.as_ref(), Some(expected), "{name}");
        }
    }
}

#[test]
fn sub_4_exact_is_byte_for_byte() {
    let hub = Hub::get();
    let name = topic("caf\u{e9}/%41");
    let mut stream = hub.subscribe(&[("match", &name)], &[]);
    let own = format!("/{}", name.split('/').skip(3).collect::<Vec<_>>().join("/"));
    let others = [
        name.replace("%41", "A"),
        name.replace("\u{e9}", "e\u{301}"),
        name.replace("example.com", "EXAMPLE.com"),
        format!("{name}/"),
        format!("{name}#"),
        name.replace("https:", "http:"),
        own,
    ];
    for other in &others {
        hub.publish(&[("topic", other)]);
    }
    let last = hub.publish(&[("topic", &name)]);
    assert_eq!(stream.next_event().unwrap().id, Some(last));
    // A relative value is not resolved either.
    let relative = format!("/{}", uuid::Uuid::new_v4());
    let mut stream = hub.subscribe(&[("match", &relative)], &[]);
    hub.publish(&[("topic", &format!("{}{relative}", hub.origin()))]);
    let last = hub.publish(&[("topic", &relative)]);
    assert_eq!(stream.next_event().unwrap().id, Some(last));
}

/// Publishes to each topic and says which of them a pattern has matched.
fn matched<'a>(hub: &Hub, pattern: &str, topics: &[&'a str]) -> Vec<&'a str> {
    let marker = topic("marker");
    let mut stream = hub.subscribe(&[("match_urlpattern", pattern), ("match", &marker)], &[]);
    let ids: Vec<String> = topics.iter().map(|topic| hub.publish(&[("topic", topic)])).collect();
    let last = hub.publish(&[("topic", &marker)]);
    let known: Vec<&str> = ids.iter().map(String::as_str).collect();
    let seen = ids_until(&mut stream, &known, &last);
    topics.iter().zip(&ids).filter(|(_, id)| seen.contains(&id.as_str())).map(|(topic, _)| *topic).collect()
}

#[test]
fn sub_5_patterns_are_those_of_the_standard() {
    let hub = Hub::get();
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "https://example.com/books/:id",
            &[
                "https://example.com/books/1",
                "https://EXAMPLE.com/books/a-b",
                "https://example.com/books/1?q#f",
                "https://example.com:443/books/1",
            ],
            &[
                "https://example.com/books/",
                "https://example.com/books/1/x",
                "https://example.com/Books/1",
                "http://example.com/books/1",
            ],
        ),
        (
            "https://*.example.com/*",
            &["https://a.example.com/", "https://a.b.example.com/x/y"],
            &["https://example.com/", "http://a.example.com/"],
        ),
        (
            "https://example.com/(a|b)/{c}?",
            &["https://example.com/a/", "https://example.com/b/c"],
            &["https://example.com/c/", "https://example.com/a/d"],
        ),
        (
            "https://example.com/n/(\\d+)",
            &["https://example.com/n/12"],
            &["https://example.com/n/x", "https://example.com/n/"],
        ),
        ("urn\\:isbn\\:*", &["urn:isbn:1"], &["urn:issn:1", "https://example.com/urn:isbn:1"]),
        (
            "https://example.com/s?x=:y",
            &["https://example.com/s?x=1"],
            &["https://example.com/s?z=1", "https://example.com/s"],
        ),
        (
            "http{s}?://example.com:8080/*",
            &["http://example.com:8080/", "https://example.com:8080/x"],
            &["https://example.com/"],
        ),
    ];
    for (pattern, yes, no) in cases {
        let topics = [*yes, *no].concat();
        assert_eq!(matched(&hub, pattern, &topics), *yes, "{pattern}");
    }
}

#[test]
fn sub_5_relative_patterns_and_topics_are_relative_to_the_hub() {
    let hub = Hub::get();
    let absolute = format!("{}/b/1", hub.origin());
    assert_eq!(
        matched(&hub, "/b/:id", &["/b/1", &absolute, "https://other.example/b/1"]),
        ["/b/1", &absolute]
    );
    assert_eq!(matched(&hub, &format!("{}/b/:id", hub.origin()), &["/b/1", "/c/1"]), ["/b/1"]);
    assert_eq!(
        matched(&hub, "*://*:*/*", &["http://[", "/b/1"]),
        ["/b/1"],
        "what is no URL reference matches no pattern"
    );
}

#[test]
fn sub_5_a_pattern_made_to_backtrack_for_ever_does_no_harm() {
    let hub = Hub::get();
    let long = format!("https://example.com/{}!", "a".repeat(1500));
    for pattern in ["/((?:a+)+)b", "/((?:a|aa|a)+)b", "/((?:[a-z]*)*[0-9])", "/(.*.*.*.*.*.*b)"] {
        let pattern = format!("https://example.com{pattern}");
        assert!(matched(&hub, &pattern, &[&long]).is_empty(), "{pattern}");
    }
}

#[test]
fn sub_6_query_takes_a_form_and_the_query_component_wins() {
    let Some(hub) = Hub::with(Feature::Query) else { return };
    let (a, b) = (topic("a"), topic("b"));
    let [first, second, third] = [&a, &b, &a].map(|topic| hub.publish(&[("topic", topic)]));
    let body = form(&[("match", &b), ("last_event_id", "earliest")]);
    let query = form(&[("match", &a), ("last_event_id", &first)]);
    let mut connection = hub.connect();
    let (path, host) = (hub.path(), hub.origin().trim_start_matches("http://"));
    connection
        .send(format!(
            "QUERY {path}?{query} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .unwrap();
    let head = connection.until(b"\r\n\r\n").unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 ") && head.contains("text/event-stream"), "{head}");
    assert!(head.contains(&format!("mercure-last-event-id: {first}")), "{head}");
    connection.until(format!("id: {second}\n").as_bytes()).unwrap();
    connection.until(format!("id: {third}\n").as_bytes()).unwrap();
    let reply = hub.request("QUERY", "?match=x", &[("content-type", "application/json")], "{}");
    assert_problem(&reply, 415, "application/json");
    let media_type = [("content-type", "application/x-www-form-urlencoded")];
    assert_problem(&hub.request("QUERY", "", &media_type, "matchx=y"), 400, "matchx");
}

#[test]
fn sub_7_too_many_or_too_long_matchers_are_a_400() {
    let Some(hub) = Hub::with(Feature::Limits) else { return };
    let query =
        |count: usize| (0..count).map(|number| format!("match={number}")).collect::<Vec<_>>().join("&");
    drop(petasos_testkit::Stream::open(&format!("{}?{}", hub.url, query(1000)), &[]).unwrap());
    assert_problem(&refused(&hub, &query(1001)), 400, "1000");
    for name in ["match", "match_urlpattern"] {
        assert_problem(&refused(&hub, &form(&[(name, &format!("/{}", "x".repeat(2048)))])), 400, "2048");
    }
}

#[test]
fn sub_7_too_many_subscriptions_are_a_429() {
    let args = ["--anonymous", "--max-subscribers", "3", "--max-subscribers-per-token", "1"];
    let Some(hub) = Hub::configured(&args) else { return };
    let token = hub.reader(&json!([{"match": "x"}]));
    let held = hub.subscribe(&[("match", "x")], &[borrow(&token)]);
    let second = hub.request("GET", "?match=x", &[borrow(&token)], "");
    assert_problem(&second, 429, "access token");
    let others = [hub.subscribe(&[("match", "x")], &[]), hub.subscribe(&[("match", "x")], &[])];
    assert_problem(&refused(&hub, "match=x"), 429, "3");
    drop((held, others));
    let Some(hub) = Hub::configured(&["--anonymous", "--max-subscribers-per-address", "1"]) else { return };
    let held = hub.subscribe(&[("match", "x")], &[]);
    assert_problem(&refused(&hub, "match=x"), 429, "address");
    drop(held);
}

#[test]
fn sub_8_the_answer_is_an_event_stream_that_nobody_buffers_or_caches() {
    let hub = Hub::get();
    let stream = hub.subscribe(&[("match", "x")], &[]);
    assert_eq!(stream.head.header("content-type"), Some("text/event-stream"));
    let cache = stream.head.header("cache-control").unwrap();
    assert!(cache.contains("no-store") || cache.contains("no-cache"), "{cache}");
    assert_eq!(stream.head.header("x-accel-buffering"), Some("no"));
}

#[test]
fn sub_8_silence_is_broken_by_comments() {
    let Some(hub) = Hub::configured(&["--anonymous", "--heartbeat", "1"]) else { return };
    let mut connection = hub.connect();
    connection
        .send(format!("GET {}?match=x HTTP/1.1\r\nhost: {}\r\n\r\n", hub.path(), &hub.origin()[7..]))
        .unwrap();
    connection.until(b"\r\n\r\n").unwrap();
    // The first one stands at the beginning of each stream.
    for _ in 0..3 {
        let line = connection.until(b"\n").unwrap();
        assert!(line.starts_with(':'), "{line:?}");
        assert_eq!(connection.until(b"\n").unwrap(), "\n");
    }
}

#[test]
fn sub_9_listed_origins_and_nobody_else_may_read_with_credentials() {
    let Some(hub) = Hub::with(Feature::Cors) else { return };
    let listed = hub.subscribe(&[("match", "x")], &[("origin", "https://app.example")]).head;
    assert_eq!(listed.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(listed.header("access-control-allow-credentials"), Some("true"));
    let exposed = listed.header("access-control-expose-headers").unwrap().to_ascii_lowercase();
    assert!(exposed.contains("link") && exposed.contains("mercure-last-event-id"), "{exposed}");
    assert!(listed.all("vary").any(|vary| vary.to_ascii_lowercase().contains("origin")));
    for origin in ["https://evil.example", "https://app.example.evil.test", "http://app.example", "null"] {
        let other = hub.subscribe(&[("match", "x")], &[("origin", origin)]).head;
        assert_eq!(other.header("access-control-allow-origin"), None, "{origin}");
        assert_eq!(other.header("access-control-allow-credentials"), None, "{origin}");
    }
    let ask = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization"),
    ];
    let preflight = hub.request("OPTIONS", "", &ask, "").head;
    assert!((200..300).contains(&preflight.status), "{preflight:?}");
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://app.example"));
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("POST"));
    assert!(
        preflight
            .header("access-control-allow-headers")
            .unwrap()
            .to_ascii_lowercase()
            .contains("authorization")
    );
}

#[test]
fn sub_9_a_star_never_goes_with_credentials() {
    let Some(hub) = Hub::configured(&["--anonymous", "--cors-origin", "*"]) else { return };
    let head = hub.subscribe(&[("match", "x")], &[("origin", "https://anyone.example")]).head;
    assert_eq!(head.header("access-control-allow-origin"), Some("*"));
    assert_eq!(head.header("access-control-allow-credentials"), None);
}

#[test]
fn sub_10_a_stream_ends_with_its_token() {
    let hub = Hub::get();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let name = topic("x");
    let mut claims = hub.claims(&["subscribe"], &json!([{"match": "*"}]));
    claims["exp"] = json!(now + 20);
    let header = petasos_conformance::bearer(&petasos_conformance::sign(&claims, &hub.secret));
    let mut stream = hub.subscribe(&[("match", &name)], &[borrow(&header)]);
    let id = hub.publish(&[("topic", &name), ("private", "on")]);
    assert_eq!(stream.next_event().unwrap().id, Some(id));
    assert!(stream.next_event().is_err());
}

#[test]
fn sub_10_a_stream_ends_after_its_longest_life() {
    let Some(hub) = Hub::configured(&["--anonymous", "--max-lifetime", "1"]) else { return };
    let mut connection = hub.connect();
    connection
        .send(format!("GET {}?match=x HTTP/1.1\r\nhost: {}\r\n\r\n", hub.path(), &hub.origin()[7..]))
        .unwrap();
    connection.until(b"\r\n\r\n").unwrap();
    assert_eq!(connection.rest().unwrap(), b":\n\n");
}

#[test]
fn sub_11_anonymous_subscribers_get_what_is_public_and_nothing_else() {
    let hub = Hub::get();
    let name = topic("x");
    let mut stream = hub.subscribe(&[("match", &name), ("match", "*")], &[]);
    let secret = hub.publish(&[("topic", &name), ("private", "on")]);
    let public = hub.publish(&[("topic", &name)]);
    assert_eq!(next_of(&mut stream, &[&secret, &public]).id, Some(public));
}

#[test]
fn sub_11_a_hub_may_ask_everyone_for_a_token() {
    let Some(hub) = Hub::configured(&[]) else { return };
    let reply = refused(&hub, "match=x");
    assert_problem(&reply, 401, "token");
    assert!(reply.head.header("www-authenticate").unwrap().starts_with("Bearer "));
    drop(hub.subscribe(&[("match", "x")], &[borrow(&hub.reader(&json!([{"match": "x"}])))]));
}
