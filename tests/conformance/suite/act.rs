//! ACT: active subscriptions.

use petasos_conformance::{
    Feature, Hub, assert_problem, bearer, borrow, claims, detail, document, sign, topic,
};
use petasos_testkit::{Stream, http};
use serde_json::{Value, json};

/// Somebody who is told of every subscription to `matcher`.
fn watch(hub: &Hub, matcher: &str) -> Stream {
    let pattern =
        format!("{}/subscriptions/:match_type/{}/:subscriber", hub.path(), escape(&encode(matcher)));
    hub.subscribe(&[("match_urlpattern", &pattern)], &[borrow(&hub.everything())])
}

fn encode(text: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode =
        |byte: u8| if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}

fn escape(text: &str) -> String {
    text.replace('.', "\\.")
}

fn told(stream: &mut Stream) -> (Value, String) {
    let event = stream.next_event().unwrap();
    assert_eq!(event.event.as_deref(), Some("mercure"), "{event:?}");
    (serde_json::from_str(&event.data).unwrap(), event.id.unwrap())
}

fn get(hub: &Hub, path: &str, headers: &[(&str, &str)]) -> http::Response {
    http::request("GET", &format!("{}{path}", hub.origin()), headers, "").unwrap()
}

#[test]
fn act_1_the_start_and_the_end_of_each_subscription_are_told() {
    let Some(hub) = Hub::with(Feature::Subscriptions) else { return };
    let (exact, pattern) = (topic("caf\u{e9} %41"), topic("b/:id"));
    let mut watchers = [watch(&hub, &exact), watch(&hub, &pattern)];
    let details = [detail(&["subscribe"], &json!([{"match": exact}]))];
    let mut details = details.to_vec();
    details[0]["payload"] = json!({"name": "Ann", "n": [1, null]});
    let token = bearer(&sign(&claims(&hub, &details), &hub.secret));
    let stream = hub.subscribe(
        &[("match", &exact), ("match_urlpattern", &pattern), ("match_exact", &exact)],
        &[borrow(&token)],
    );
    let mut ids = Vec::new();
    for (watcher, (kind, matcher)) in watchers.iter_mut().zip([("exact", &exact), ("urlpattern", &pattern)]) {
        let (subscription, _) = told(watcher);
        let subscriber = subscription["subscriber"].as_str().unwrap().to_owned();
        let id = format!("{}/subscriptions/{kind}/{}/{}", hub.path(), encode(matcher), encode(&subscriber));
        let mut expected = json!({
            "id": id, "type": "subscription", "match_type": kind, "match": matcher, "subscriber": subscriber, "active": true,
        });
        if kind == "exact" {
            expected["payload"] = json!({"name": "Ann", "n": [1, null]});
        }
        assert_eq!(subscription, expected);
        ids.push((id, subscriber));
    }
    assert_eq!(ids[0].1, ids[1].1, "one connection, one subscriber");
    drop(stream);
    for (watcher, (id, _)) in watchers.iter_mut().zip(&ids) {
        let (subscription, _) = told(watcher);
        assert_eq!(
            (&subscription["id"], &subscription["active"]),
            (&json!(id), &json!(false)),
            "and nothing in between"
        );
    }
}

#[test]
fn act_1_only_those_who_may_are_told() {
    let Some(hub) = Hub::with(Feature::Subscriptions) else { return };
    let name = topic("x");
    let everything = [("match", "*"), ("match_urlpattern", "/*")];
    let mut anonymous = hub.subscribe(&everything, &[]);
    let mut foreign = hub.subscribe(&everything, &[borrow(&hub.reader(&json!([{"match": name}])))]);
    let mut watcher = watch(&hub, &name);
    let stream = hub.subscribe(&[("match", &name)], &[]);
    let (_, event_id) = told(&mut watcher);
    let public = hub.publish(&[("topic", &name)]);
    for stream in [&mut anonymous, &mut foreign] {
        let first = petasos_conformance::next_of(stream, &[&event_id, &public]);
        assert_eq!(first.id.as_ref(), Some(&public));
    }
    drop(stream);
}

#[test]
fn act_2_the_subscriber_is_a_random_urn_that_no_input_influences() {
    let Some(hub) = Hub::with(Feature::Subscriptions) else { return };
    let name = topic("x");
    let mut watcher = watch(&hub, &name);
    let mut claims = hub.claims(&["subscribe"], &json!([{"match": "*"}]));
    claims["sub"] = json!("urn:me");
    let token = bearer(&sign(&claims, &hub.secret));
    let fields = [("match", name.as_str()), ("subscriber", "urn:me"), ("id", "urn:me")];
    let headers = [borrow(&token), ("subscriber", "urn:me"), ("x-request-id", "urn:me")];
    let streams = [hub.subscribe(&fields, &headers), hub.subscribe(&fields, &headers)];
    let seen: Vec<String> =
        streams.iter().map(|_| told(&mut watcher).0["subscriber"].as_str().unwrap().to_owned()).collect();
    assert_ne!(seen[0], seen[1]);
    for subscriber in &seen {
        let uuid = subscriber.strip_prefix("urn:uuid:").unwrap();
        assert!(uuid::Uuid::parse_str(uuid).is_ok(), "{subscriber}");
    }
}

#[test]
fn act_3_the_payload_is_that_of_the_first_detail_that_matches_the_matcher_as_a_topic() {
    let Some(hub) = Hub::with(Feature::Subscriptions) else { return };
    let base = topic("");
    let [foo, bar, other] = ["foo", "bar/:id", "other"].map(|name| format!("{base}{name}"));
    let with = |actions: &[&str], topics: Value, number: u32| {
        let mut detail = detail(actions, &topics);
        detail["payload"] = json!({"n": number});
        detail
    };
    let bar_pattern = json!([{"match": bar, "match_type": "urlpattern"}]);
    let details = [
        with(&["publish"], json!([{"match": "*"}]), 0),
        detail(&["subscribe"], &json!([{"match": "https://example.com/none"}])),
        with(&["subscribe"], json!([{"match": "https://example.com/x"}, {"match": foo}]), 1),
        with(&["subscribe"], bar_pattern, 2),
        with(&["subscribe"], json!([{"match": "*"}]), 3),
        with(&["subscribe"], json!([{"match": foo}]), 4),
    ];
    let token = bearer(&sign(&claims(&hub, &details), &hub.secret));
    let concrete = format!("{base}bar/7");
    let cases =
        [("match", &foo, 1), ("match_urlpattern", &bar, 2), ("match", &concrete, 2), ("match", &other, 3)];
    for (name, matcher, number) in cases {
        let mut watcher = watch(&hub, matcher);
        let stream = hub.subscribe(&[(name, matcher)], &[borrow(&token)]);
        assert_eq!(told(&mut watcher).0["payload"], json!({"n": number}), "{matcher}");
        drop(stream);
    }
    // The first one that matches decides, even if it has none.
    let details =
        [detail(&["subscribe"], &json!([{"match": foo}])), with(&["subscribe"], json!([{"match": "*"}]), 9)];
    let token = bearer(&sign(&claims(&hub, &details), &hub.secret));
    let mut watcher = watch(&hub, &foo);
    let stream = hub.subscribe(&[("match", &foo)], &[borrow(&token)]);
    assert_eq!(told(&mut watcher).0.get("payload"), None);
    drop(stream);
}

#[test]
fn act_4_the_web_api_has_three_shapes() {
    let Some(hub) = Hub::with(Feature::Subscriptions) else { return };
    let (name, pattern) = (topic("x"), topic("y/:z"));
    let token = hub.everything();
    let mut watcher = watch(&hub, &name);
    let streams = [
        hub.subscribe(&[("match", &name), ("match_urlpattern", &pattern)], &[]),
        hub.subscribe(&[("match", &name)], &[]),
    ];
    let told = [told(&mut watcher).0, told(&mut watcher).0];

    let all = format!("{}/subscriptions", hub.path());
    let reply = get(&hub, &all, &[borrow(&token)]);
    assert_eq!((reply.head.status, reply.head.header("content-type")), (200, Some("application/json")));
    let list = document(&reply);
    assert_eq!((&list["id"], &list["type"]), (&json!(all), &json!("subscriptions")));
    let listed = |list: &Value| list["subscriptions"].as_array().unwrap().clone();
    assert!(told.iter().all(|one| listed(&list).contains(one)), "{list}");
    assert!(listed(&list).iter().any(|one| one["match"] == json!(pattern)));

    let some = format!("{all}/exact/{}", encode(&name));
    let list = document(&get(&hub, &some, &[borrow(&token)]));
    assert_eq!((&list["id"], &list["type"]), (&json!(some), &json!("subscriptions")));
    assert_eq!(listed(&list).len(), 2);
    assert!(told.iter().all(|one| listed(&list).contains(one)), "{list}");

    for one in &told {
        let reply = get(&hub, one["id"].as_str().unwrap(), &[borrow(&token)]);
        assert_eq!((reply.head.status, reply.head.header("content-type")), (200, Some("application/json")));
        assert_eq!(&document(&reply), one);
    }
    assert_eq!(
        get(&hub, &format!("{all}/exact/{}/urn%3Auuid%3Anobody", encode(&name)), &[borrow(&token)])
            .head
            .status,
        404
    );
    assert_eq!(get(&hub, &format!("{all}/exact"), &[borrow(&token)]).head.status, 404);
    let none = document(&get(&hub, &format!("{all}/urlpattern/{}", encode(&name)), &[borrow(&token)]));
    assert_eq!(none["subscriptions"], json!([]), "the type is a part of the matcher");
    drop(streams);
}

#[test]
fn act_4_the_path_is_a_topic_on_which_the_token_must_allow_to_subscribe() {
    let Some(hub) = Hub::with(Feature::Subscriptions) else { return };
    let all = format!("{}/subscriptions", hub.path());
    let some = format!("{all}/exact/x");
    let by = |topics: Value| hub.reader(&topics);
    let cases = [
        (by(json!([{"match": all}])), &all, 200),
        (by(json!([{"match": all}])), &some, 403),
        (by(json!([{"match": some}])), &some, 200),
        (by(json!([{"match": format!("{}{some}", hub.origin())}])), &some, 403),
        (by(json!([{"match": format!("{all}/:type/:match"), "match_type": "urlpattern"}])), &some, 200),
        (
            by(json!([{"match": format!("{}{all}/:type/:match", hub.origin()), "match_type": "urlpattern"}])),
            &some,
            200,
        ),
        (by(json!([{"match": format!("{all}/:type/:match"), "match_type": "urlpattern"}])), &all, 403),
        (by(json!([{"match": "*"}])), &all, 200),
        (bearer(&hub.token(&["publish"], &json!([{"match": "*"}]))), &all, 403),
    ];
    for (token, path, status) in &cases {
        let reply = get(&hub, &format!("{path}?x=y"), &[borrow(token)]);
        assert_eq!(reply.head.status, *status, "{path}: {reply:?}");
        if *status == 403 {
            assert!(reply.head.header("www-authenticate").unwrap().contains("insufficient_scope"));
        }
    }
    assert_problem(&get(&hub, &all, &[]), 401, "token");
    assert_problem(&http::request("DELETE", &format!("{}{all}", hub.origin()), &[], "").unwrap(), 405, "GET");
}

#[test]
fn act_4_the_answer_leads_to_what_happens_next() {
    let Some(hub) = Hub::with(Feature::Subscriptions) else { return };
    let name = topic("x");
    let token = hub.everything();
    let path = format!("{}/subscriptions/exact/{}", hub.path(), encode(&name));
    let last = hub.publish(&[("topic", &name)]);
    let reply = get(&hub, &path, &[borrow(&token)]);
    let link = reply.head.header("link").unwrap();
    assert!(link.starts_with(&format!("<{}>; rel=\"mercure\"", hub.url)), "{link}");
    let cursor = link.split("last-event-id=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    if hub.process.is_some() {
        assert_eq!(cursor, last);
    }
    assert!(
        link.contains("type=\"mercure\"") && link.contains("content-type=\"application/json\""),
        "{link}"
    );
    let tag = reply.head.header("etag").unwrap();
    for known in [tag.to_owned(), format!("\"x\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
        let cached = get(&hub, &path, &[borrow(&token), ("if-none-match", &known)]);
        assert_eq!((cached.head.status, cached.body.as_str()), (304, ""), "{known}");
    }
    let stream = hub.subscribe(&[("match", &name)], &[]);
    // From the cursor on, everything is told that the document does not have.
    let pattern = format!("{}/subscriptions/exact/{}/:subscriber", hub.path(), escape(&encode(&name)));
    let fields = [("match_urlpattern", pattern.as_str()), ("last_event_id", &cursor)];
    let mut watcher = hub.subscribe(&fields, &[borrow(&token)]);
    assert_eq!(told(&mut watcher).0["active"], json!(true));
    let changed = get(&hub, &path, &[borrow(&token), ("if-none-match", tag)]);
    assert_eq!(
        (changed.head.status, document(&changed)["subscriptions"].as_array().unwrap().len()),
        (200, 1)
    );
    drop(stream);
}
