//! DIS: discovery.

use petasos_conformance::{Feature, Hub, borrow, document};
use petasos_testkit::http;
use serde_json::json;

fn metadata(hub: &Hub) -> http::Response {
    http::get(&format!("{}/.well-known/oauth-protected-resource{}", hub.origin(), hub.path())).unwrap()
}

#[test]
fn dis_2_the_hub_describes_itself() {
    let hub = Hub::get();
    let reply = metadata(&hub);
    assert_eq!(reply.head.header("content-type"), Some("application/json"));
    let described = document(&reply);
    assert_eq!(described["resource"], json!(hub.audience));
    assert_eq!(described["bearer_methods_supported"], json!(["header"]));
    let types = described["authorization_details_types_supported"].as_array().unwrap();
    assert!(types.contains(&json!("https://mercure.rocks/authorization-detail")));
    assert_eq!(described.get("mercure_cookie").cloned().unwrap_or(json!(hub.cookie)), json!(hub.cookie));
    if let Some(types) = described.get("mercure_matcher_types_supported") {
        assert!(types.as_array().unwrap().iter().any(|name| name == "exact"));
        assert!(types.as_array().unwrap().iter().any(|name| name == "urlpattern"));
    }
}

#[test]
fn dis_2_active_subscriptions_are_announced() {
    let Some(hub) = Hub::with(Feature::Subscriptions) else { return };
    assert_eq!(document(&metadata(&hub))["mercure_subscriptions"], json!(true));
    let Some(without) = Hub::configured(&[]) else { return };
    assert_eq!(document(&metadata(&without)).get("mercure_subscriptions"), None);
    let list = without.request("GET", "/subscriptions", &[borrow(&without.everything())], "");
    assert_eq!(list.head.status, 404);
}

#[test]
fn dis_2_issuers_are_named_where_there_are_any() {
    let Some(hub) = Hub::configured(&["--issuer", "https://idp.example"]) else { return };
    let described = document(&metadata(&hub));
    assert_eq!(described["authorization_servers"], json!(["https://idp.example"]));
    let Some(own) = Hub::configured(&[]) else { return };
    assert_eq!(document(&metadata(&own)).get("authorization_servers"), None);
}

#[test]
fn dis_2_a_challenge_leads_to_the_description() {
    let hub = Hub::get();
    let reply = hub.try_publish("topic=x", &[]);
    let challenge = reply.head.header("www-authenticate").unwrap();
    let url = challenge.split("resource_metadata=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(document(&http::get(url).unwrap())["resource"], json!(hub.audience));
}
