//! AUTH: tokens.

use petasos_conformance::{
    Hub, assert_problem, bearer, borrow, claims, compact, detail, form, id, next_of, sign, topic,
};
use petasos_testkit::http;
use serde_json::{Value, json};

fn publish_with(hub: &Hub, headers: &[(&str, &str)]) -> http::Response {
    hub.try_publish(&form(&[("topic", "https://example.com/auth")]), headers)
}

#[test]
fn auth_1_tokens_come_in_the_header_or_in_the_cookie() {
    let hub = Hub::get();
    let name = topic("x");
    let token = hub.token(&["subscribe"], &json!([{"match": name}]));
    let cookie = format!("first=1; {}={token}; last=\u{e9}", hub.cookie);
    let presented = [
        ("authorization", format!("Bearer {token}")),
        ("authorization", format!("bEARER {token}")),
        ("cookie", cookie),
    ];
    for (header, value) in presented {
        let mut stream = hub.subscribe(&[("match", &name)], &[(header, &value)]);
        let id = hub.publish(&[("topic", &name), ("private", "on")]);
        assert_eq!(stream.next_event().unwrap().id, Some(id), "{header}: {value}");
    }
}

#[test]
fn auth_1_the_header_wins_over_the_cookie_and_nothing_comes_from_the_url() {
    let hub = Hub::get();
    let name = topic("x");
    let token = hub.token(&["subscribe"], &json!([{"match": name}]));
    let other = hub.token(&["subscribe"], &json!([{"match": "https://example.com/other"}]));
    let cookie = format!("{}={token}", hub.cookie);
    let (secret, public) = (id("secret"), id("public"));
    let by_other = format!("Bearer {other}");
    let mut narrow = hub.subscribe(&[("match", &name)], &[("authorization", &by_other), ("cookie", &cookie)]);
    let mut by_url =
        hub.subscribe(&[("match", &name), ("access_token", &token), ("authorization", &token)], &[]);
    hub.publish(&[("topic", &name), ("private", "on"), ("id", &secret)]);
    hub.publish(&[("topic", &name), ("id", &public)]);
    for stream in [&mut narrow, &mut by_url] {
        assert_eq!(stream.next_event().unwrap().id.as_ref(), Some(&public));
    }
    let broken = publish_with(&hub, &[("authorization", "Bearer nonsense"), ("cookie", &cookie)]);
    assert_eq!(broken.head.status, 401);
}

#[test]
fn auth_2_the_header_of_a_token_is_checked() {
    let hub = Hub::get();
    let claims = hub.claims(&["publish"], &json!([{"match": "*"}])).to_string();
    let status = |header: &Value| {
        let token = compact(&header.to_string(), &claims, &hub.secret);
        publish_with(&hub, &[borrow(&bearer(&token))]).head.status
    };
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert_eq!(status(&json!({"alg": "HS256", "typ": typ, "kid": "unheard-of", "x": 1})), 200, "{typ}");
    }
    let wrong = [
        json!({"alg": "HS256"}),
        json!({"alg": "HS256", "typ": "JWT"}),
        json!({"alg": "HS256", "typ": "text/at+jwt"}),
        json!({"alg": "HS256", "typ": null}),
        json!({"typ": "at+jwt"}),
        json!({"alg": "none", "typ": "at+jwt"}),
        json!({"alg": "None", "typ": "at+jwt"}),
        json!({"alg": "HS512", "typ": "at+jwt"}),
        json!({"alg": "RS256", "typ": "at+jwt"}),
        json!({"alg": "hs256", "typ": "at+jwt"}),
        json!({"alg": "HS256", "typ": "at+jwt", "crit": ["exp"], "exp": 1}),
        json!({"alg": "HS256", "typ": "at+jwt", "crit": []}),
        json!([]),
    ];
    for header in wrong {
        assert_eq!(status(&header), 401, "{header}");
    }
    // A key that the token brings along is not looked at.
    let own = json!({"alg": "HS256", "typ": "at+jwt", "jwk": {"kty": "oct", "k": "AAAA"}, "jku": "http://127.0.0.1:1/"});
    let forged = compact(&own.to_string(), &claims, "another secret of at least 32 bytes, really");
    assert_eq!(publish_with(&hub, &[borrow(&bearer(&forged))]).head.status, 401);
    let unsigned = forged.rsplit_once('.').unwrap().0;
    for token in
        [unsigned.to_owned(), format!("{unsigned}."), format!("{forged}.x"), forged.replace('.', "..")]
    {
        assert_eq!(publish_with(&hub, &[borrow(&bearer(&token))]).head.status, 401, "{token}");
    }
}

#[test]
fn auth_2_the_claims_of_a_token_are_checked() {
    let hub = Hub::get();
    let good = hub.claims(&["publish"], &json!([{"match": "*"}]));
    let changed = |name: &str, value: &Value| {
        let mut claims = good.clone();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
        publish_with(&hub, &[borrow(&bearer(&sign(&claims, &hub.secret)))]).head.status
    };
    for (name, value) in [
        ("aud", json!([hub.audience])),
        ("aud", json!(["x", hub.audience])),
        ("nbf", json!(1)),
        ("nbf", json!(1.5)),
        ("exp", json!(4e9)),
        ("sub", json!("x")),
    ] {
        assert_eq!(changed(name, &value), 200, "{name}: {value}");
    }
    let wrong = [
        ("exp", json!(null)),
        ("exp", json!(1_000_000_000)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!("4102444800")),
        ("exp", json!(true)),
        ("nbf", json!(4_102_444_799u64)),
        ("nbf", json!("1")),
        ("aud", json!(null)),
        ("aud", json!([])),
        ("aud", json!("https://other.example/.well-known/mercure")),
        ("aud", json!(format!("{}/", hub.audience))),
        ("aud", json!({"x": hub.audience})),
        ("aud", json!([hub.audience, 1])),
        ("iss", json!("https://evil.example")),
        ("iss", json!([hub.issuer])),
    ];
    for (name, value) in wrong {
        assert_eq!(changed(name, &value), 401, "{name}: {value}");
    }
}

#[test]
fn auth_3_one_invalid_detail_makes_the_token_invalid() {
    let hub = Hub::get();
    let good = detail(&["publish"], &json!([{"match": "*"}]));
    let status = |details: &[Value]| {
        let token = sign(&claims(&hub, details), &hub.secret);
        publish_with(&hub, &[borrow(&bearer(&token))]).head.status
    };
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed
    };
    let fine = [
        json!({"type": "https://other.example/detail", "actions": 1}),
        with("actions", json!(["dance"])),
        with(
            "topics",
            json!([{"match": "x", "match_type": "exact"}, {"match": "/x/:y", "match_type": "urlpattern"}]),
        ),
        with("payload", json!({"a": [1]})),
        with("unheard-of", json!(1)),
    ];
    for other in fine {
        assert_eq!(status(&[other.clone(), good.clone()]), 200, "{other}");
    }
    let wrong = [
        with("actions", json!(null)),
        with("actions", json!([])),
        with("actions", json!("publish")),
        with("actions", json!(["publish", 1])),
        with("actions", json!(["publish", ""])),
        with("topics", json!(null)),
        with("topics", json!([])),
        with("topics", json!({"match": "*"})),
        with("topics", json!(["*"])),
        with("topics", json!([{"match_type": "exact"}])),
        with("topics", json!([{"match": 1}])),
        with("topics", json!([{"match": "x", "match_type": "regexp"}])),
        with("topics", json!([{"match": "x", "match_type": "Exact"}])),
        with("topics", json!([{"match": "x", "match_type": ""}])),
        with("topics", json!([{"match": "x\u{0}"}])),
        with("topics", json!([{"match": "https://[", "match_type": "urlpattern"}])),
        with("payload", json!([1])),
        with("payload", json!("x")),
        with("payload", json!(null)),
    ];
    for other in wrong {
        assert_eq!(status(&[good.clone(), other.clone()]), 401, "{other}");
    }
    assert_eq!(status(&vec![good.clone(); 101]), 401, "too many");
    let topics = json!(vec![json!({"match": "x"}); 1001]);
    assert_eq!(status(&[good.clone(), with("topics", topics)]), 401, "too many");
    assert_eq!(
        status(&[good.clone(), with("topics", json!([{"match": "x".repeat(2049)}]))]),
        401,
        "too long"
    );
    assert_eq!(status(&[]), 403, "a token without details allows nothing");
}

#[test]
fn auth_4_what_is_wrong_with_a_token_is_told_in_the_challenge_and_no_more() {
    let hub = Hub::get();
    let challenge = |reply: &http::Response| reply.head.header("www-authenticate").unwrap().to_owned();
    let none = publish_with(&hub, &[]);
    assert_problem(&none, 401, "access token");
    assert!(challenge(&none).starts_with("Bearer ") && !challenge(&none).contains("error"), "{none:?}");
    assert!(challenge(&none).contains("resource_metadata=\"http"), "{none:?}");

    let mut expired = hub.claims(&["publish"], &json!([{"match": "*"}]));
    let unknown = sign(&expired, "another secret of at least 32 bytes, really");
    expired["exp"] = json!(1);
    let bad: Vec<http::Response> =
        [unknown, sign(&expired, &hub.secret), "nonsense".to_owned(), "a.b.c".to_owned(), "x".repeat(9000)]
            .iter()
            .map(|token| publish_with(&hub, &[borrow(&bearer(token))]))
            .collect();
    for reply in &bad {
        assert_eq!(reply.head.status, 401);
        assert!(challenge(reply).contains("error=\"invalid_token\""), "{reply:?}");
        assert_eq!(
            (challenge(reply), &reply.body),
            (challenge(&bad[0]), &bad[0].body),
            "one message for every cause"
        );
    }

    let few = bearer(&hub.token(&["publish"], &json!([{"match": "https://example.com/other"}])));
    let few = publish_with(&hub, &[borrow(&few)]);
    assert_problem(&few, 403, "https://example.com/auth");
    assert!(challenge(&few).contains("error=\"insufficient_scope\""), "{few:?}");

    let token = hub.everything();
    for headers in [
        &[("authorization", "Bearer")][..],
        &[("authorization", "Bearer a b")],
        &[borrow(&token), borrow(&token)],
    ] {
        let reply = publish_with(&hub, headers);
        assert_problem(&reply, 400, "Authorization");
        assert!(challenge(&reply).contains("error=\"invalid_request\""), "{reply:?}");
    }
    let subscriber = hub.request("GET", "?match=x", &[("authorization", "Bearer nonsense")], "");
    assert_eq!((subscriber.head.status, challenge(&subscriber)), (401, challenge(&bad[0])), "not anonymous");
}

#[test]
fn auth_5_what_is_private_needs_a_grant_on_one_of_its_topics_and_a_matcher() {
    let hub = Hub::get();
    let (canonical, alternate, other) = (topic("a/1"), topic("b/1"), topic("c"));
    let pattern = canonical.replace("/a/1", "/:x/:y");
    let grant = |topics: Value| hub.reader(&topics);
    let by_canonical = grant(json!([{"match": canonical}]));
    let by_alternate = grant(json!([{"match": other}, {"match": alternate, "match_type": "exact"}]));
    let by_pattern = grant(json!([{"match": pattern, "match_type": "urlpattern"}]));
    let by_star = grant(json!([{"match": "*"}]));
    let foreign = grant(json!([{"match": other}]));
    let publisher = bearer(&hub.token(&["publish"], &json!([{"match": "*"}])));
    let marker = topic("marker");
    let all = [("match", "*")];
    let marked = [("match", marker.as_str()), ("match", &other)];
    let mut streams = [
        (true, hub.subscribe(&all, &[borrow(&by_canonical)])),
        (true, hub.subscribe(&all, &[borrow(&by_alternate)])),
        (true, hub.subscribe(&all, &[borrow(&by_pattern)])),
        (true, hub.subscribe(&[("match", &alternate), ("match", &marker)], &[borrow(&by_canonical)])),
        (false, hub.subscribe(&marked, &[borrow(&by_star)])),
        (false, hub.subscribe(&all, &[borrow(&foreign)])),
        (false, hub.subscribe(&all, &[borrow(&publisher)])),
        (false, hub.subscribe(&all, &[])),
    ];
    let secret = hub.publish(&[("topic", &canonical), ("topic", &alternate), ("private", "on")]);
    let public = hub.publish(&[("topic", &marker)]);
    for (number, (entitled, stream)) in streams.iter_mut().enumerate() {
        let first = next_of(stream, &[&secret, &public]).id;
        assert_eq!(first.as_ref(), Some(if *entitled { &secret } else { &public }), "subscriber {number}");
    }
}
