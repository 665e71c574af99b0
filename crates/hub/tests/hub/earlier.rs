//! Requests of the earlier generations of the protocol.

use petasos_hub::{Algorithm, Hub, Key};
use petasos_protocol::HubUrl;
use petasos_protocol::compat::Compat;
use serde_json::{Value, json};

use crate::support::{SECRET, Served, header, sign};

const SELECTORS: Compat = Compat { selectors: true, targets: false };
const TARGETS: Compat = Compat { selectors: false, targets: true };
const BOTH: Compat = Compat { selectors: true, targets: true };
const NONE: Compat = Compat { selectors: false, targets: false };

/// Signed with `!UnsecureChangeMe!`: may subscribe to `foo` and `bar`, and publish for `foo`.
const EXAMPLE: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJtZXJjdXJlIjp7InN1YnNjcmliZSI6WyJmb28iLCJiYXIiXSwicHVibGlzaCI6WyJmb28iXX19.LRLvirgONK13JgacQ_VbcjySbVhkSmHy3IznH3tA9PM";

fn mercure(claim: &Value) -> String {
    sign(&json!({"mercure": claim}), "JWT", SECRET)
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

fn start(compat: Compat) -> Served {
    Served::start(|builder| builder.compat(compat).anonymous(false))
}

fn short_key() -> Key {
    Key::maybe_short(b"!UnsecureChangeMe!", Algorithm::HS256).unwrap()
}

#[test]
fn the_example_token_works_with_its_key() {
    for compat in [TARGETS, BOTH] {
        let served = Served::start(|builder| {
            builder.compat(compat).publisher_key(short_key()).subscriber_key(short_key())
        });
        let mut holder = served.subscribe("topic=https://example.com/1", &bearer(EXAMPLE));
        let mut other = served.subscribe("topic=https://example.com/1", "");
        let publish = |form: &str| served.publish_with(form, &bearer(EXAMPLE)).status;
        assert_eq!(publish("topic=https://example.com/1&data=x&target=foo&id=urn:1"), 200);
        assert_eq!(publish("topic=https://example.com/1&data=x&target=bar"), 403);
        assert_eq!(publish("topic=https://example.com/1&data=x&target=foo&target=bar"), 403);
        assert_eq!(holder.event(), "id: urn:1\ndata: x\n\n");
        served.publish("topic=https://example.com/1&id=urn:2");
        assert_eq!(other.event(), "id: urn:2\ndata: \n\n");
        assert_eq!(holder.event(), "id: urn:2\ndata: \n\n");
    }
}

#[test]
fn a_short_secret_is_taken_only_where_an_earlier_generation_is_served() {
    let build = |compat: Compat| {
        let url = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
        Hub::builder().public_url(url).shards(1).compat(compat).publisher_key(short_key()).build()
    };
    let error = build(NONE).unwrap_err().to_string();
    assert!(error.contains("18 bytes"), "{error}");
    assert!(build(SELECTORS).is_ok() && build(TARGETS).is_ok());
    assert!(Key::maybe_short(b"", Algorithm::HS256).is_err());
}

#[test]
fn a_token_is_found_in_the_header_the_query_and_the_cookies_in_this_order() {
    let served = start(SELECTORS);
    let allowed = |name: &str| mercure(&json!({"subscribe": [name]}));
    let cookie = |token: &str| format!("cookie: mercureAuthorization={token}\r\n");
    let query = |token: &str| format!("topic=*&authorization={token}");
    let (a, b, c) = (allowed("a"), allowed("b"), allowed("c"));
    let own = served.token(json!({"actions": ["subscribe"], "topics": [{"match": "d"}]}));
    let both = format!("cookie: mercureAuthorization={c}; __Secure-mercure_access_token={own}\r\n");
    let mut streams = [
        ("a", served.subscribe(&query(&b), &format!("{}{}", bearer(&a), cookie(&c)))),
        ("b", served.subscribe(&query(&b), &cookie(&c))),
        ("b", served.subscribe(&query(&b), &both)),
        ("d", served.subscribe("topic=*", &both)),
        ("c", served.subscribe("topic=*", &cookie(&c))),
    ];
    for topic in ["a", "b", "c", "d"] {
        assert_eq!(served.publish(&format!("topic={topic}&private&id=urn:{topic}")).status, 200);
    }
    served.publish("topic=e&id=urn:end");
    for (topic, stream) in &mut streams {
        assert_eq!(stream.event(), format!("id: urn:{topic}\ndata: \n\n"));
        assert_eq!(stream.event(), "id: urn:end\ndata: \n\n");
    }
}

#[test]
fn publishing_takes_a_token_from_the_query_and_from_the_cookie_of_an_own_page() {
    let served = start(SELECTORS);
    let token = mercure(&json!({"publish": ["https://example.com/{id}"]}));
    let head = "content-type: application/x-www-form-urlencoded";
    let post = |query: &str, headers: &str, topic: &str| {
        let head = format!("POST /.well-known/mercure{query} HTTP/1.1\r\n{headers}{head}");
        served.request(&head, &format!("topic={topic}")).status
    };
    let query = format!("?authorization={token}");
    assert_eq!(post(&query, "", "https://example.com/1"), 200);
    assert_eq!(post(&query, "", "https://example.com/1/2"), 403);
    let cookie = format!("cookie: mercureAuthorization={token}\r\n");
    assert_eq!(post("", &cookie, "https://example.com/1"), 403);
    let own = format!("{cookie}origin: http://{}\r\n", served.address);
    assert_eq!(post("", &own, "https://example.com/1"), 200);
}

#[test]
fn what_is_off_is_refused_with_the_name_of_the_option() {
    let token = mercure(&json!({"publish": ["*"], "subscribe": ["*"]}));
    let cookie = format!("cookie: mercureAuthorization={token}\r\n");
    let get = |served: &Served, query: &str, headers: &str| {
        let head = format!("GET /.well-known/mercure?{query} HTTP/1.1");
        let headers = headers.trim_end();
        served.request(&if headers.is_empty() { head } else { format!("{head}\r\n{headers}") }, "")
    };
    let query = format!("topic=*&authorization={token}");
    for anonymous in [false, true] {
        let served = Served::start(|builder| builder.compat(NONE).anonymous(anonymous));
        for (reply, option) in [
            (get(&served, "topic=*", &bearer(&token)), "--compat selectors"),
            (get(&served, &query, ""), "--compat selectors"),
            (get(&served, "topic=*", &cookie), "--compat selectors"),
            (served.publish_with("topic=a", &bearer(&token)), "--compat selectors"),
            (served.publish_with("topic=a&target=b", &bearer(&token)), "--compat targets"),
            (served.publish_with("topic=a", &cookie), "--compat targets"),
        ] {
            assert_eq!(reply.status, 401, "{}", reply.body);
            assert!(reply.body.contains(option) && !reply.body.contains(&token), "{}", reply.body);
            assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer "));
        }
        // A page of today is not to blame for a cookie that the browser sends by itself.
        if anonymous {
            served.subscribe("match=*&authorization=x", &cookie);
        } else {
            assert_eq!(get(&served, "match=*&authorization=x", "").status, 401);
        }
    }
    let served = start(TARGETS);
    let reply = get(&served, &query, "");
    assert!(reply.status == 401 && reply.body.contains("--compat selectors"), "{}", reply.body);
    let reply = served.publish_with("topic=a&private", &bearer(&token));
    assert!(reply.status == 400 && reply.body.contains("--compat selectors"), "{}", reply.body);
    let reply = start(SELECTORS).publish_with("topic=a&target=b", &bearer(&token));
    assert!(reply.status == 400 && reply.body.contains("--compat targets"), "{}", reply.body);
}

#[test]
fn an_earlier_token_must_be_signed_and_may_expire() {
    let served = start(BOTH);
    let claim = json!({"publish": ["*"]});
    let status = |claims: &Value, typ: &str, secret: &[u8]| {
        served.publish_with("topic=a", &bearer(&sign(claims, typ, secret))).status
    };
    assert_eq!(status(&json!({"mercure": claim}), "JWT", SECRET), 200);
    assert_eq!(status(&json!({"mercure": claim, "exp": 4_102_444_800u64}), "", SECRET), 200);
    assert_eq!(status(&json!({"mercure": claim, "exp": 1_000_000_000}), "JWT", SECRET), 401);
    assert_eq!(status(&json!({"mercure": claim, "nbf": 4_102_444_800u64}), "JWT", SECRET), 401);
    assert_eq!(status(&json!({"mercure": claim, "iss": "x", "aud": "y"}), "JWT", SECRET), 200);
    assert_eq!(status(&json!({"mercure": claim}), "JWT", b"another secret that is long enough, too"), 401);
    assert_eq!(status(&json!({"mercure": claim}), "at+jwt", SECRET), 401, "that is a token of today");
    assert_eq!(status(&json!({"mercure": 1}), "JWT", SECRET), 401);
    assert_eq!(status(&json!({}), "JWT", SECRET), 401);
}

#[test]
fn earlier_names_of_the_cursor_are_read_and_answered() {
    let served = Served::start(|builder| builder.cors_origins(["https://app.example".to_owned()]));
    for number in 1..4 {
        served.publish(&format!("topic=a&id=urn:{number}"));
    }
    for name in ["Last-Event-ID", "lastEventID", "last_event_id"] {
        let mut stream =
            served.subscribe(&format!("topic=a&{name}=urn:2"), "origin: https://app.example\r\n");
        assert_eq!(header(&stream.head, "last-event-id"), Some("urn:2"));
        assert_eq!(header(&stream.head, "mercure-last-event-id"), Some("urn:2"));
        assert!(header(&stream.head, "access-control-expose-headers").unwrap().contains(", Last-Event-ID"));
        assert_eq!(stream.event(), "id: urn:3\ndata: \n\n");
        let unknown = served.subscribe(&format!("topic=a&{name}=urn:x"), "");
        assert_eq!(header(&unknown.head, "last-event-id"), Some("earliest"));
    }
    let current = served.subscribe("match=a&last_event_id=urn:2", "");
    assert_eq!(header(&current.head, "last-event-id"), None);
}

#[test]
fn subscriptions_are_told_of_in_the_documents_of_each_generation() {
    let served = Served::start(|builder| builder.compat(SELECTORS).subscriptions(true));
    let own = served.token(json!({"actions": ["subscribe"], "topics": [{"match": "*"}]}));
    let mut current = served.subscribe("match=*", &bearer(&own));
    current.event();
    let selector = "/.well-known/mercure/subscriptions{/topic}{/subscriber}";
    let watcher = bearer(&mercure(&json!({"subscribe": [selector]})));
    let mut earlier = served.subscribe(&format!("topic={selector}"), &watcher);
    earlier.event();
    current.event();
    let token = mercure(&json!({"subscribe": [], "payload": {"user": "kevin"}}));
    let watched = served.subscribe("topic=https://example.com/{id}", &bearer(&token));
    let event = earlier.event();
    assert!(!event.contains("event:"), "{event}");
    let document: Value = serde_json::from_str(event.split_once("data: ").unwrap().1).unwrap();
    let subscriber = document["subscriber"].as_str().unwrap();
    let id = format!(
        "/.well-known/mercure/subscriptions/https%3A%2F%2Fexample.com%2F%7Bid%7D/{}",
        subscriber.replace(':', "%3A")
    );
    let expected = json!({
        "@context": "https://mercure.rocks/", "id": id, "type": "Subscription", "topic": "https://example.com/{id}",
        "subscriber": subscriber, "active": true, "payload": {"user": "kevin"},
    });
    assert_eq!(document, expected);
    let event = current.event();
    assert!(
        event.starts_with("event: mercure\n") && event.contains("\"match_type\":\"uritemplate\""),
        "{event}"
    );
    check_api(&served, &watcher, &expected);
    drop(watched);
    assert!(earlier.event().contains("\"active\":false"));
    let event = current.event();
    assert!(event.contains("\"active\":false") && event.starts_with("event: mercure\n"), "{event}");
}

fn check_api(served: &Served, headers: &str, expected: &Value) {
    let get = |path: &str| served.request(&format!("GET {path} HTTP/1.1\r\n{}", headers.trim_end()), "");
    let id = expected["id"].as_str().unwrap();
    let one = get(id);
    assert_eq!((one.status, one.header("content-type")), (200, Some("application/ld+json")));
    let newest = served.hub.last_event_id().unwrap();
    let mut document: Value = serde_json::from_str(&one.body).unwrap();
    assert_eq!(document["lastEventID"].take(), newest.as_str());
    document.as_object_mut().unwrap().remove("lastEventID");
    assert_eq!(&document, expected);
    let topic = id.rsplit_once('/').unwrap().0;
    for (path, count) in [("/.well-known/mercure/subscriptions", 3), (topic, 1)] {
        let many: Value = serde_json::from_str(&get(path).body).unwrap();
        assert_eq!((&many["type"], &many["id"]), (&json!("Subscriptions"), &json!(path)));
        assert_eq!(many["lastEventID"], newest.as_str());
        assert_eq!(many["subscriptions"].as_array().unwrap().len(), count, "{many}");
    }
    assert_eq!(get(&format!("{topic}/urn%3Auuid%3Anobody")).status, 404);
    let own = served.token(json!({"actions": ["subscribe"], "topics": [{"match": "*"}]}));
    let today = served.request(
        &format!("GET /.well-known/mercure/subscriptions HTTP/1.1\r\n{}", bearer(&own).trim_end()),
        "",
    );
    assert_eq!(today.header("content-type"), Some("application/json"));
    let foreign = mercure(&json!({"subscribe": ["https://example.com/{id}"]}));
    let head = format!("GET {id} HTTP/1.1\r\n{}", bearer(&foreign).trim_end());
    assert_eq!(served.request(&head, "").status, 403);
}
