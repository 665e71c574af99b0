//! SUB.

use serde_json::Value;

use crate::support::{Served, header};

#[test]
fn sub_1_to_3_and_5_matchers_select_and_relative_patterns_are_relative_to_the_hub() {
    let served = Served::start(|builder| builder);
    let own = format!("http://{}/books/1", served.address);
    let mut exact = served.subscribe(&format!("match_exact={own}"), "");
    let mut pattern = served.subscribe("match_urlpattern=/books/:id", "");
    let mut any = served.subscribe("match=*", "");
    let mut legacy = served.subscribe(&format!("topic=http://{}/books/{{id}}&topic=x", served.address), "");
    served.publish("topic=https://example.com/books/1&id=urn:other");
    served.publish(&format!("topic={own}&id=urn:own"));
    assert_eq!(exact.event(), "id: urn:own\ndata: \n\n");
    assert_eq!(pattern.event(), "id: urn:own\ndata: \n\n");
    assert_eq!(legacy.event(), "id: urn:own\ndata: \n\n");
    assert_eq!(any.event(), "id: urn:other\ndata: \n\n");
    assert_eq!(any.event(), "id: urn:own\ndata: \n\n");
}

#[test]
fn sub_1_and_2_a_bad_subscription_is_a_400() {
    let served = Served::start(|builder| builder);
    for query in [
        "",
        "foo=bar",
        "match_foo=x",
        "Match=x",
        "match_urlpattern=https://[",
        "match=a%0Ab",
        "match=%FF",
        "match=a%E2%80%8Bb",
    ] {
        let reply = served.request(&format!("GET /.well-known/mercure?{query} HTTP/1.1"), "");
        assert_eq!(reply.status, 400, "{query}: {reply:?}");
        let problem: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(problem["title"], "Bad Request");
    }
}

#[test]
fn sub_8_the_head_forbids_caching_and_buffering() {
    let served = Served::start(|builder| builder);
    let client = served.subscribe("match=x", "");
    assert_eq!(header(&client.head, "content-type"), Some("text/event-stream"));
    assert!(header(&client.head, "cache-control").unwrap().contains("no-store"));
    assert_eq!(header(&client.head, "x-accel-buffering"), Some("no"));
    assert_eq!(header(&client.head, "connection"), Some("close"));
    assert!(header(&client.head, "date").is_some());
}

#[test]
fn sub_6_query_subscribes_with_the_union_of_body_and_query_component() {
    let served = Served::start(|builder| builder);
    let mut client = served.connect();
    let body = "match=https://example.com/2";
    client.send(&format!(
        "QUERY /.well-known/mercure?match=https://example.com/1 HTTP/1.1\r\nhost: test\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert!(client.until(b"\r\n\r\n").starts_with("HTTP/1.1 200"));
    client.until(b":\n\n");
    served.publish("topic=https://example.com/1&id=urn:1");
    served.publish("topic=https://example.com/2&id=urn:2");
    client.until(b"id: urn:1\ndata: \n\n");
    client.until(b"id: urn:2\ndata: \n\n");
}

#[test]
fn head_opens_no_subscription() {
    let served = Served::start(|builder| builder);
    let reply = served.request("HEAD /.well-known/mercure?match=x HTTP/1.1", "");
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    assert_eq!(served.hub.metrics().subscribers_total.value(), 0);
}

#[test]
fn sub_9_only_listed_origins_may_read_and_credentials_never_go_with_a_star() {
    let served =
        Served::start(|builder| builder.cors_origins(["https://app.example".to_owned(), "*".to_owned()]));
    let listed = served.subscribe("match=x", "origin: https://app.example\r\n");
    assert_eq!(header(&listed.head, "access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(header(&listed.head, "access-control-allow-credentials"), Some("true"));
    assert_eq!(header(&listed.head, "access-control-expose-headers"), Some("Link, Mercure-Last-Event-ID"));
    let other = served.subscribe("match=x", "origin: https://evil.example\r\n");
    assert_eq!(header(&other.head, "access-control-allow-origin"), Some("*"));
    assert_eq!(header(&other.head, "access-control-allow-credentials"), None);
    let closed = Served::start(|builder| builder.cors_origins(["https://app.example".to_owned()]));
    let refused = closed.subscribe("match=x", "origin: https://evil.example\r\n");
    assert_eq!(header(&refused.head, "access-control-allow-origin"), None);
    let preflight =
        closed.request("OPTIONS /.well-known/mercure HTTP/1.1\r\norigin: https://app.example", "");
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET, HEAD, OPTIONS, POST, QUERY"));
}

#[test]
fn dis_2_the_metadata_names_the_resource() {
    let served = Served::start(|builder| builder);
    let reply = served.request("GET /.well-known/oauth-protected-resource/.well-known/mercure HTTP/1.1", "");
    let document: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(document["resource"], served.url());
    assert_eq!(document["bearer_methods_supported"], serde_json::json!(["header"]));
}
