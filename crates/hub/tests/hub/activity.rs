//! ACT.

use serde_json::{Value, json};

use crate::support::{Client, Reply, Served};

const ALL: &str = "/.well-known/mercure/subscriptions";

fn start() -> Served {
    Served::start(|builder| builder.subscriptions(true))
}

fn watcher(served: &Served) -> String {
    let topics = json!([{"match": "*"}]);
    bearer(&served.token(json!({"actions": ["subscribe"], "topics": topics, "payload": {"watcher": true}})))
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

fn get(served: &Served, path: &str, headers: &str) -> Reply {
    let mut client = served.connect();
    client.send(&format!("GET {path} HTTP/1.1\r\nhost: test\r\n{headers}connection: close\r\n\r\n"));
    client.reply()
}

/// The document that an event of the hub itself carries.
fn document(client: &mut Client) -> Value {
    let event = client.event();
    assert!(event.starts_with("event: mercure\nid: urn:uuid:"), "{event}");
    let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    serde_json::from_str(data).unwrap()
}

#[test]
fn act_1_start_and_end_of_each_subscription_are_told_to_those_who_may_know() {
    let served = start();
    let headers = watcher(&served);
    let query = "match_urlpattern=/.well-known/mercure/subscriptions/:match_type/:match/:subscriber";
    // What is published before counts for nothing.
    served.publish("topic=/before");
    let mut watching = served.subscribe(query, &headers);
    let own = document(&mut watching);
    assert_eq!((&own["match_type"], &own["payload"]), (&json!("urlpattern"), &json!({"watcher": true})));
    let mut anonymous = served.subscribe(&format!("match=*&{query}"), "");
    for _ in 0..2 {
        assert_eq!(document(&mut watching)["active"], json!(true));
    }

    let topics = json!([{"match": "/books/:id", "match_type": "urlpattern"}]);
    let token = served.token(json!({"actions": ["subscribe"], "topics": topics, "payload": {"name": "Ann"}}));
    let subscriber = served.subscribe("match=/books/1&match=/books/1&match=/other", &bearer(&token));
    let (first, second) = (document(&mut watching), document(&mut watching));
    let id =
        format!("{ALL}/exact/%2Fbooks%2F1/{}", first["subscriber"].as_str().unwrap().replace(':', "%3A"));
    let expected = json!({
        "id": id, "type": "subscription", "match_type": "exact", "match": "/books/1",
        "subscriber": first["subscriber"], "active": true, "payload": {"name": "Ann"},
    });
    assert_eq!(first, expected);
    assert_eq!((&second["match"], second.get("payload")), (&json!("/other"), None));
    assert_eq!(first["subscriber"], second["subscriber"]);
    assert!(first["subscriber"].as_str().unwrap().starts_with("urn:uuid:"));

    drop(subscriber);
    let (ended, other) = (document(&mut watching), document(&mut watching));
    assert_eq!((&ended["id"], &ended["active"]), (&json!(id), &json!(false)));
    assert_eq!((&other["match"], &other["active"]), (&json!("/other"), &json!(false)));
    served.publish("topic=public&id=urn:public");
    assert_eq!(anonymous.event(), "id: urn:public\ndata: \n\n", "nothing before it was for a stranger");
}

#[test]
fn act_2_every_connection_has_an_identifier_of_its_own() {
    let served = start();
    let headers = watcher(&served);
    let clients = [served.subscribe("match=x", &headers), served.subscribe("match=x", &headers)];
    let list: Value = serde_json::from_str(&get(&served, ALL, &headers).body).unwrap();
    let subscribers: Vec<&Value> =
        list["subscriptions"].as_array().unwrap().iter().map(|one| &one["subscriber"]).collect();
    assert_eq!(subscribers.len(), 2);
    assert_ne!(subscribers[0], subscribers[1]);
    drop(clients);
}

#[test]
fn act_4_the_web_api_has_three_shapes() {
    let served = start();
    let headers = watcher(&served);
    let client = served.subscribe("match=/a&match_urlpattern=/b/:id", "");
    let all = get(&served, ALL, &headers);
    assert_eq!((all.status, all.header("content-type")), (200, Some("application/json")));
    let list: Value = serde_json::from_str(&all.body).unwrap();
    assert_eq!((&list["id"], &list["type"]), (&json!(ALL), &json!("subscriptions")));
    let subscriptions = list["subscriptions"].as_array().unwrap();
    assert_eq!(subscriptions.len(), 2);

    let path = format!("{ALL}/urlpattern/%2Fb%2F%3Aid");
    let some = get(&served, &path, &headers);
    let some: Value = serde_json::from_str(&some.body).unwrap();
    assert_eq!(some["id"], json!(path));
    assert_eq!(some["subscriptions"].as_array().unwrap().len(), 1);
    let one = some["subscriptions"][0].clone();
    let single = get(&served, one["id"].as_str().unwrap(), &headers);
    assert_eq!(serde_json::from_str::<Value>(&single.body).unwrap(), one);

    let none = get(&served, &format!("{ALL}/exact/unheard-of"), &headers);
    assert_eq!((none.status, none.body.contains("\"subscriptions\":[]")), (200, true));
    for missing in [format!("{ALL}/exact/%2Fa/urn%3Auuid%3A0"), format!("{ALL}/"), format!("{ALL}/exact")] {
        assert_eq!(get(&served, &missing, &headers).status, 404, "{missing}");
    }
    drop(client);
}

#[test]
fn act_4_the_answer_leads_to_the_stream_that_keeps_it_up_to_date() {
    let served = start();
    let headers = watcher(&served);
    let before = get(&served, ALL, &headers);
    let link = format!(
        "<{}>; rel=\"mercure\"; last-event-id=\"earliest\"; type=\"mercure\"; content-type=\"application/json\"",
        served.url()
    );
    assert_eq!(before.header("link"), Some(link.as_str()));
    let tag = before.header("etag").unwrap();
    let cached = get(&served, ALL, &format!("{headers}if-none-match: W/\"x\", {tag}\r\n"));
    assert_eq!((cached.status, cached.body.as_str()), (304, ""));
    assert_eq!(get(&served, ALL, &format!("{headers}if-none-match: W/{tag}\r\n")).status, 304);
    let mut client = served.subscribe("match=*", &headers);
    let own = client.event();
    let after = get(&served, ALL, &format!("{headers}if-none-match: {tag}\r\n"));
    assert_eq!(after.status, 200);
    let id = own.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    assert!(after.header("link").unwrap().contains(&format!("last-event-id=\"{id}\"")));
}

#[test]
fn act_4_the_path_is_a_topic_that_the_token_must_grant() {
    let served = start();
    let narrow =
        |topics: Value, actions: Value| bearer(&served.token(json!({"actions": actions, "topics": topics})));
    let exact = narrow(json!([{"match": ALL}]), json!(["subscribe"]));
    assert_eq!(get(&served, ALL, &exact).status, 200);
    assert_eq!(get(&served, &format!("{ALL}/exact/x"), &exact).status, 403);
    let pattern = narrow(
        json!([{"match": "/.well-known/mercure/subscriptions/exact/:match", "match_type": "urlpattern"}]),
        json!(["subscribe"]),
    );
    assert_eq!(get(&served, &format!("{ALL}/exact/x"), &pattern).status, 200);
    assert_eq!(get(&served, ALL, &pattern).status, 403);
    let refused = get(&served, ALL, &narrow(json!([{"match": "*"}]), json!(["publish"])));
    assert_eq!(refused.status, 403);
    assert!(refused.header("www-authenticate").unwrap().contains("insufficient_scope"));
    assert_eq!(get(&served, ALL, "").status, 401);
}

#[test]
fn act_4_without_the_feature_nothing_is_there() {
    let served = Served::start(|builder| builder);
    assert_eq!(get(&served, ALL, &watcher(&served)).status, 404);
    let metadata = "/.well-known/oauth-protected-resource/.well-known/mercure";
    assert!(!get(&served, metadata, "").body.contains("mercure_subscriptions"));
    assert!(get(&start(), metadata, "").body.contains("\"mercure_subscriptions\":true"));
}
