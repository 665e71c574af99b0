//! Decisions where the draft leaves room.

use petasos_conformance::{
    Feature, Hub, assert_problem, bearer, borrow, claims, compact, detail, form, sign, topic,
};
use serde_json::{Value, json};

fn status(hub: &Hub, token: &str) -> u16 {
    hub.try_publish("topic=x", &[borrow(&bearer(token))]).head.status
}

#[test]
fn dec_1_which_mistake_is_told_first() {
    let hub = Hub::get();
    let nonsense = [("authorization", "Bearer nonsense")];
    assert_problem(&hub.try_publish("topic=*", &nonsense), 400, "topic");
    assert_problem(&hub.request("GET", "", &nonsense, ""), 400, "match");
    assert_problem(
        &hub.request("POST", "", &[("content-type", "text/plain"), nonsense[0]], "topic=x"),
        415,
        "text/plain",
    );
    assert_problem(&hub.try_publish("topic=x&data=%ff", &nonsense), 400, "UTF-8");
    let cookie = format!("{}={}", hub.cookie, hub.token(&["publish"], &json!([{"match": "*"}])));
    assert_problem(&hub.try_publish("topic=x", &[("cookie", &cookie)]), 403, "Origin");
}

#[test]
fn dec_2_a_star_in_a_token_is_a_star_whatever_its_type_if_the_type_is_one() {
    let hub = Hub::get();
    let with = |topic: Value| status(&hub, &hub.token(&["publish"], &json!([topic])));
    for kind in ["exact", "urlpattern"] {
        assert_eq!(with(json!({"match": "*", "match_type": kind})), 200, "{kind}");
    }
    for kind in [json!(null), json!(""), json!("regexp"), json!("EXACT"), json!(["exact"]), json!(1)] {
        assert_eq!(with(json!({"match": "*", "match_type": kind})), 401, "{kind}");
    }
}

#[test]
fn dec_3_members_of_tokens_have_one_name_and_stand_once() {
    let hub = Hub::get();
    let good = hub.claims(&["publish"], &json!([{"match": "*"}]));
    let renamed = |from: &str, to: &str| {
        status(
            &hub,
            &sign(&serde_json::from_str(&good.to_string().replacen(from, to, 1)).unwrap(), &hub.secret),
        )
    };
    for (from, to) in [
        ("\"aud\"", "\"AUD\""),
        ("\"exp\"", "\"Exp\""),
        ("\"match\"", "\"Match\""),
        ("\"actions\"", "\"Actions\""),
    ] {
        assert_eq!(renamed(from, to), 401, "{to}");
    }
    assert_eq!(renamed("\"authorization_details\"", "\"Authorization_Details\""), 403);
    let payload = good.to_string();
    let header = json!({"alg": "HS256", "typ": "at+jwt"}).to_string();
    for (header, payload) in [
        (header.clone(), payload.replacen('{', "{\"exp\":4102444800,", 1)),
        (header.clone(), payload.replacen("\"match\":\"*\"", "\"match\":\"*\",\"match\":\"*\"", 1)),
        (header.replacen('{', "{\"alg\":\"HS256\",", 1), payload.clone()),
        (header.replacen('{', "{\"crit\":[\"b64\"],\"b64\":false,", 1), payload.clone()),
    ] {
        assert_eq!(status(&hub, &compact(&header, &payload, &hub.secret)), 401, "{header} {payload}");
    }
    assert_eq!(status(&hub, &compact(&header, &payload, &hub.secret)), 200);
}

#[test]
fn dec_4_every_entry_has_a_type_and_nothing_is_asked_that_binds_issuers_only() {
    let hub = Hub::get();
    let good = detail(&["publish"], &json!([{"match": "*"}]));
    for other in
        [json!("x"), json!(1), json!(null), json!([]), json!({}), json!({"type": 1}), json!({"type": null})]
    {
        assert_eq!(
            status(&hub, &sign(&claims(&hub, &[good.clone(), other.clone()]), &hub.secret)),
            401,
            "{other}"
        );
    }
    let mut claims = claims(&hub, &[good]);
    assert!(["sub", "jti", "client_id", "iat"].iter().all(|name| claims.get(name).is_none()));
    assert_eq!(status(&hub, &sign(&claims, &hub.secret)), 200);
    for details in [json!({}), json!("x"), json!(null), json!(1)] {
        claims["authorization_details"] = details;
        assert_eq!(status(&hub, &sign(&claims, &hub.secret)), 401, "{claims}");
    }
}

#[test]
fn dec_5_a_known_cursor_is_echoed_whatever_came_between() {
    let hub = Hub::get();
    let (name, other) = (topic("x"), topic("other"));
    let cursor = hub.publish(&[("topic", &other)]);
    hub.publish(&[("topic", &other)]);
    let wanted = hub.publish(&[("topic", &name)]);
    let mut stream = hub.subscribe(&[("match", &name), ("last_event_id", &cursor)], &[]);
    assert_eq!(stream.head.header("mercure-last-event-id"), Some(cursor.as_str()));
    assert_eq!(stream.next_event().unwrap().id, Some(wanted));
}

#[test]
fn dec_6_the_form_is_that_of_the_url_standard() {
    let hub = Hub::get();
    let name = topic("a;topic=b%zz%");
    let mut stream = hub.subscribe(&[("match", &name)], &[]);
    let reply = hub.try_publish(&format!("topic={name}&data=x+y%2Bz"), &[borrow(&hub.everything())]);
    assert_eq!(reply.head.status, 200);
    assert_eq!(stream.next_event().unwrap().data, "x y+z");
}

#[test]
fn dec_6_what_exceeds_a_limit_of_a_publish_is_a_413() {
    let Some(hub) = Hub::with(Feature::Limits) else { return };
    let answer = |body: &str| hub.try_publish(body, &[borrow(&hub.everything())]);
    let long = |length: usize| "x".repeat(length);
    for (body, word) in [
        (vec!["topic=x"; 101].join("&"), "100"),
        (format!("topic={}", long(2049)), "2048"),
        (format!("topic=x&id={}", long(257)), "256"),
        (format!("topic=x&type={}", long(257)), "256"),
    ] {
        assert_problem(&answer(&body), 413, word);
    }
    for body in [
        vec!["topic=x"; 100].join("&"),
        format!("topic={}", long(2048)),
        format!("topic=x&id={}", long(256)),
        format!("topic=x&type={}", long(256)),
    ] {
        assert_eq!(answer(&body).head.status, 200);
    }
}

#[test]
fn dec_6_an_identical_matcher_counts_once() {
    let Some(hub) = Hub::with(Feature::Limits) else { return };
    let name = topic("x");
    let query = vec![form(&[("match", &name)]); 400].join("&");
    let mut stream = petasos_testkit::Stream::open(
        &format!("{}?{query}&{}", hub.url, form(&[("match_exact", &name)])),
        &[],
    )
    .unwrap();
    let ids = [hub.publish(&[("topic", &name)]), hub.publish(&[("topic", &name)])];
    for id in ids {
        assert_eq!(stream.next_event().unwrap().id, Some(id));
    }
}

#[test]
fn dec_7_an_update_without_data_is_an_event_too() {
    let hub = Hub::get();
    let name = topic("x");
    let mut stream = hub.subscribe(&[("match", &name)], &[]);
    let id = hub.publish(&[("topic", &name)]);
    let event = stream.next_event().unwrap();
    assert_eq!((event.id.as_ref(), event.data.as_str()), (Some(&id), ""));
    assert!(event.raw.lines().any(|line| line.trim_end() == "data:"), "{event:?}");
}

#[test]
fn dec_7_other_methods_are_a_405_and_head_opens_nothing() {
    let hub = Hub::get();
    for method in ["DELETE", "PUT", "PATCH", "TRACE", "BREW"] {
        let reply = hub.request(method, "?match=x", &[], "");
        assert_problem(&reply, 405, method);
        let allowed = reply.head.header("allow").unwrap();
        assert!(["GET", "POST", "HEAD"].iter().all(|method| allowed.contains(method)), "{allowed}");
    }
    let Some(hub) = Hub::with(Feature::Subscriptions) else { return };
    let name = topic("x");
    let mut connection = hub.connect();
    connection
        .send(format!(
            "HEAD {}?{} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            hub.path(),
            form(&[("match", &name)]),
            &hub.origin()[7..]
        ))
        .unwrap();
    let head = String::from_utf8(connection.rest().unwrap()).unwrap().to_ascii_lowercase();
    assert!(
        head.starts_with("http/1.1 200 ") && head.contains("text/event-stream") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let list = hub.request(
        "GET",
        &format!("/subscriptions/exact/{}", form(&[("", &name)]).trim_start_matches('=')),
        &[borrow(&hub.everything())],
        "",
    );
    assert_eq!(petasos_conformance::document(&list)["subscriptions"], json!([]));
}

#[test]
fn dec_8_a_costly_pattern_is_taken_if_it_is_one() {
    let hub = Hub::get();
    for pattern in
        ["/((?:a+)+)b", "/:a-:b-:c-:d-:e-:f-:g-:h", "/(.*)(.*)(.*)(.*)(.*)", "*://*.*.*.*:*/*/*/*?*=*&*=*#*"]
    {
        drop(hub.subscribe(&[("match_urlpattern", pattern)], &[]));
    }
}
