//! PUB.

use serde_json::Value;

use crate::support::Served;

#[test]
fn pub_7_the_answer_is_the_id_and_the_event_is_byte_exact() {
    let served = Served::start(|builder| builder);
    let mut client = served.subscribe("match=https://example.com/1", "");
    let reply =
        served.publish("topic=https://example.com/1&data=a%0Ab%0D%0Ac&id=urn:x:1&type=note&retry=1500");
    assert_eq!((reply.status, reply.body.as_str()), (200, "urn:x:1"));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(client.event(), "event: note\nretry: 1500\nid: urn:x:1\ndata: a\ndata: b\ndata: c\n\n");
}

#[test]
fn pub_4_without_an_id_the_hub_makes_one_that_sorts_by_time() {
    let served = Served::start(|builder| builder);
    let ids: Vec<String> = (0..3).map(|_| served.publish("topic=https://example.com/1").body).collect();
    for id in &ids {
        let uuid = id.strip_prefix("urn:uuid:").unwrap();
        assert_eq!(uuid.as_bytes()[14], b'7', "{id}");
    }
    assert!(ids.is_sorted());
}

#[test]
fn pub_6_a_line_break_in_data_never_starts_another_field() {
    let served = Served::start(|builder| builder);
    let mut client = served.subscribe("match=*", "");
    served.publish("topic=https://example.com/1&id=urn:1&data=x%0D%0Aid:+evil%0A%0Adata:+evil");
    assert_eq!(client.event(), "id: urn:1\ndata: x\ndata: id: evil\ndata: \ndata: data: evil\n\n");
}

#[test]
fn pub_1_to_5_each_malformed_publish_is_told_what_is_wrong() {
    let served = Served::start(|builder| builder);
    let bad = [
        "data=x",
        "topic=*",
        "topic=a%00b",
        "topic=%FF",
        "topic=https://example.com/1&id=%23x",
        "topic=https://example.com/1&id=earliest",
        "topic=https://example.com/1&type=mercure",
        "topic=https://example.com/1&type=a%0Ab",
        "topic=https://example.com/1&retry=1s",
        "topic=/.well-known/mercure/subscriptions/x",
        "topic=https://other.example/.well-known/%6Dercure",
    ];
    for form in bad {
        // No token: what is wrong with the form is said first (PUB.3).
        let reply = served.publish_with(form, "");
        assert_eq!(reply.status, 400, "{form}: {reply:?}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        let problem: Value = serde_json::from_str(&reply.body).unwrap();
        assert!(problem["detail"].as_str().unwrap().len() > 10, "{form}");
        assert_eq!(problem["status"], 400);
    }
    assert_eq!(
        served.request("POST /.well-known/mercure HTTP/1.1\r\ncontent-type: application/json", "{}").status,
        415
    );
    let reply = served.publish(&format!("topic=https://example.com/1&data={}", "x".repeat(1 << 20)));
    assert_eq!(reply.status, 413);
    assert!(served.hub.last_event_id().is_none(), "nothing was dispatched");
}

#[test]
fn a_method_that_does_nothing_names_those_that_do() {
    let served = Served::start(|builder| builder);
    let reply = served.request("DELETE /.well-known/mercure HTTP/1.1", "");
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD, OPTIONS, POST, QUERY")));
    let reply = served.request("GET /books HTTP/1.1", "");
    assert_eq!((reply.status, reply.body.as_str()), (200, "/books"));
}

#[test]
fn an_idempotency_key_makes_a_repetition_harmless() {
    let served = Served::start(|builder| builder);
    let token = served.token(serde_json::json!({"actions": ["publish"], "topics": [{"match": "*"}]}));
    let headers = format!("authorization: Bearer {token}\r\nidempotency-key: \"k1\"\r\n");
    let mut client = served.subscribe("match=*", "");
    let first = served.publish_with("topic=https://example.com/1&data=x", &headers);
    let second = served.publish_with("topic=https://example.com/1&data=x", &headers);
    assert_eq!((first.status, second.status, &first.body), (200, 200, &second.body));
    assert_eq!(served.publish_with("topic=https://example.com/1&data=y", &headers).status, 422);
    served.publish("topic=https://example.com/1&data=next&id=urn:next");
    assert!(client.event().ends_with("data: x\n\n"));
    assert_eq!(client.event(), "id: urn:next\ndata: next\n\n");
}
