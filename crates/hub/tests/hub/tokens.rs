//! AUTH.

use petasos_protocol::HubUrl;
use serde_json::json;

use crate::support::{SECRET, Served, sign};

const FORM: &str = "topic=https://example.com/1&data=x";

#[test]
fn auth_4_no_token_a_bad_token_and_too_few_rights_are_told_apart() {
    let served = Served::start(|builder| builder);
    let metadata = format!(
        "resource_metadata=\"http://{}/.well-known/oauth-protected-resource/.well-known/mercure\"",
        served.address
    );
    let none = served.publish_with(FORM, "");
    assert_eq!(
        (none.status, none.header("www-authenticate")),
        (401, Some(format!("Bearer {metadata}").as_str()))
    );
    let bad = served.publish_with(FORM, "authorization: Bearer a.b.c\r\n");
    let challenge = format!("Bearer error=\"invalid_token\", {metadata}");
    assert_eq!((bad.status, bad.header("www-authenticate")), (401, Some(challenge.as_str())));
    let token = served.token(json!({"actions": ["publish"], "topics": [{"match": "https://example.com/2"}]}));
    let few = served.publish_with(FORM, &format!("authorization: Bearer {token}\r\n"));
    assert_eq!(few.status, 403);
    assert!(few.header("www-authenticate").unwrap().starts_with("Bearer error=\"insufficient_scope\""));
    assert!(few.body.contains("https://example.com/1"));
    let malformed = served.publish_with(FORM, "authorization: Bearer\r\n");
    assert_eq!(malformed.status, 400);
    assert!(served.hub.last_event_id().is_none());
}

#[test]
fn auth_2_every_claim_and_header_that_matters_is_checked() {
    let served = Served::start(|builder| builder);
    let good = json!({
        "iss": served.url(), "aud": ["x", served.url()], "exp": 4_102_444_800u64,
        "authorization_details": [{
            "type": "https://mercure.rocks/authorization-detail", "actions": ["publish"], "topics": [{"match": "*"}],
        }],
    });
    let status = |claims: &serde_json::Value, typ: &str, secret: &[u8]| {
        served.publish_with(FORM, &format!("authorization: bearer {}\r\n", sign(claims, typ, secret))).status
    };
    assert_eq!(status(&good, "at+jwt", SECRET), 200);
    assert_eq!(status(&good, "Application/AT+JWT", SECRET), 200);
    assert_eq!(status(&good, "JWT", SECRET), 401);
    assert_eq!(status(&good, "at+jwt", b"another secret that is long enough, too"), 401);
    let changes = [
        ("exp", json!(1_000_000_000)),
        ("exp", json!(null)),
        ("nbf", json!(4_102_444_000u64)),
        ("aud", json!("https://other.example/.well-known/mercure")),
        ("aud", json!(null)),
        ("iss", json!("https://evil.example")),
        ("iss", json!(null)),
        (
            "authorization_details",
            json!([{"type": "https://mercure.rocks/authorization-detail", "actions": [1], "topics": [{"match": "*"}]}]),
        ),
    ];
    for (name, value) in changes {
        let mut claims = good.clone();
        claims[name] = value.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        }
        assert_eq!(status(&claims, "at+jwt", SECRET), 401, "{name}: {value}");
    }
}

#[test]
fn auth_5_a_private_update_reaches_only_those_whose_token_names_a_topic_of_it() {
    let served = Served::start(|builder| builder);
    let grant = |topics: serde_json::Value| {
        format!(
            "authorization: Bearer {}\r\n",
            served.token(json!({"actions": ["subscribe"], "topics": topics}))
        )
    };
    let mut canonical = served.subscribe("match=*", &grant(json!([{"match": "https://example.com/1"}])));
    let mut alternate = served.subscribe(
        "match=*",
        &grant(json!([{"match": "https://example.com/users/:id", "match_type": "urlpattern"}])),
    );
    let mut foreign = served.subscribe("match=*", &grant(json!([{"match": "https://example.com/2"}])));
    let mut narrow = served.subscribe("match=https://example.com/3", &grant(json!([{"match": "*"}])));
    let mut anonymous = served.subscribe("match=*", "");
    let reply =
        served.publish("topic=https://example.com/1&topic=https://example.com/users/7&private&id=urn:secret");
    assert_eq!(reply.status, 200);
    served.publish("topic=https://example.com/3&id=urn:public");
    for client in [&mut canonical, &mut alternate] {
        assert_eq!(client.event(), "id: urn:secret\ndata: \n\n");
    }
    for client in [&mut canonical, &mut alternate, &mut foreign, &mut narrow, &mut anonymous] {
        assert_eq!(client.event(), "id: urn:public\ndata: \n\n");
    }
}

#[test]
fn sub_11_without_anonymous_a_subscriber_needs_a_token() {
    let served = Served::start(|builder| builder.anonymous(false));
    let reply = served.request("GET /.well-known/mercure?match=x HTTP/1.1", "");
    assert_eq!(reply.status, 401);
    let token = served.token(json!({"actions": ["subscribe"], "topics": [{"match": "x"}]}));
    served.subscribe("match=x", &format!("cookie: __Secure-mercure_access_token={token}\r\n"));
}

#[test]
fn pub_9_publishing_with_a_cookie_needs_an_origin_of_our_own() {
    let other = HubUrl::parse("https://hub.example/.well-known/mercure").unwrap();
    let served = Served::start(|builder| {
        builder.publish_origins(["https://app.example".to_owned()]).public_url(other)
    });
    let token = served.token(json!({"actions": ["publish"], "topics": [{"match": "*"}]}));
    let cookie = format!("cookie: __Secure-mercure_access_token={token}\r\n");
    let own = format!("{cookie}origin: http://{}\r\n", served.address);
    let status = |headers: &str| served.publish_with(FORM, headers).status;
    assert_eq!(status(&cookie), 403);
    assert_eq!(status(&format!("{cookie}origin: https://evil.example\r\n")), 403);
    assert_eq!(status(&format!("{cookie}referer: https://evil.example/app.example\r\n")), 403);
    assert_eq!(status(&own), 200);
    assert_eq!(status(&format!("{cookie}origin: https://hub.example\r\n")), 200);
    assert_eq!(status(&format!("{cookie}origin: null\r\n")), 403);
    assert_eq!(status(&format!("{cookie}referer: https://app.example/page?x\r\n")), 200);
}
