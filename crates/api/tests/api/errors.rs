//! What clients do wrong is a problem document, never a panic, and never half a change.

use serde_json::{Value, json};

use crate::support::{LD, PATCH, Served};

fn problem(served: &Served, method: &str, path: &str, content_type: &str, body: &str) -> (u16, Value) {
    let response = served.send(method, path, content_type, body);
    assert_eq!(
        response.head.header("content-type"),
        Some("application/problem+json; charset=utf-8"),
        "{response:?}"
    );
    let document: Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!(document["status"], response.head.status);
    assert!(!document["hydra:description"].as_str().unwrap().is_empty());
    (response.head.status, document)
}

#[test]
fn each_mistake_has_its_status() {
    let served = Served::start();
    served.create("{\"title\":\"there\",\"isbn\":\"1\"}");
    let large = format!("{{\"title\":\"{}\"}}", "x".repeat(1 << 20));
    for (method, path, content_type, body, status) in [
        ("POST", "/books", LD, "{\"title\":", 400),
        ("POST", "/books", LD, "[]", 400),
        ("POST", "/books", LD, "", 400),
        ("POST", "/books", LD, "\u{1}", 400),
        ("POST", "/books", "text/plain", "{}", 415),
        ("PATCH", "/books/1", "application/json", "{}", 415),
        ("POST", "/books", LD, &large, 413),
        ("POST", "/books", LD, "{}", 422),
        ("POST", "/books", LD, "{\"title\":\"other\",\"isbn\":\"1\"}", 422),
        ("PUT", "/books/2", LD, "{\"title\":\"new\"}", 404),
        ("GET", "/books/2", LD, "", 404),
        ("GET", "/books/two", LD, "", 404),
        ("GET", "/books/99999999999999999999", LD, "", 404),
        ("GET", "/books/%ff", LD, "", 404),
        ("GET", "/nothing", LD, "", 404),
        ("GET", "/contexts/Nothing", LD, "", 404),
        ("DELETE", "/books", LD, "", 405),
        ("POST", "/books/1", LD, "{}", 405),
        ("PUT", "/", LD, "{}", 405),
    ] {
        assert_eq!(
            problem(&served, method, path, content_type, body).0,
            status,
            "{method} {path} {content_type} {:.40}",
            body
        );
    }
    let list = served.document("/books");
    assert_eq!((&list["hydra:totalItems"], &list["hydra:member"][0]["title"]), (&json!(1), &json!("there")));
}

#[test]
fn every_violation_is_named_at_once() {
    let served = Served::start();
    let body = json!({"title": " ", "publicationDate": "soon", "rating": 9, "price": "dear", "sold": null, "isbn": 5});
    let (status, document) = problem(&served, "POST", "/books", LD, &body.to_string());
    assert_eq!(
        (status, &document["@type"], &document["@context"]),
        (422, &json!("ConstraintViolation"), &json!("/contexts/ConstraintViolation"))
    );
    let violations = document["violations"].as_array().unwrap();
    let named: Vec<(&str, &str)> = violations
        .iter()
        .map(|violation| {
            (violation["propertyPath"].as_str().unwrap(), violation["message"].as_str().unwrap())
        })
        .collect();
    let expected = [
        ("title", "This value should not be blank."),
        ("isbn", "This value should be a string."),
        ("publicationDate", "This value should be a date like 2026-12-31."),
        ("rating", "This value should be 5 or less."),
        ("price", "This value should be a number."),
        ("sold", "This value should not be null."),
    ];
    assert_eq!(named, expected);
    let (_, long) = problem(&served, "POST", "/books", LD, &json!({"title": "x".repeat(21)}).to_string());
    assert_eq!(long["detail"], "title: This value should have 20 characters or less.");
    let (_, twice) = {
        served.create("{\"title\":\"a\",\"isbn\":\"7\"}");
        problem(&served, "POST", "/books", LD, "{\"title\":\"b\",\"isbn\":\"7\"}")
    };
    assert_eq!(twice["violations"][0]["propertyPath"], "isbn");
}

#[test]
fn whole_documents_may_be_sent_back_and_hidden_fields_are_out_of_reach() {
    let served = Served::start();
    let mut book = served.create("{\"title\":\"first\",\"rating\":3,\"secret\":\"x\",\"id\":77}");
    assert_eq!((&book["@id"], book.get("secret")), (&json!("/books/1"), None));
    book["title"] = json!("second");
    book["originId"] = json!(1);
    let replaced = served.send("PUT", "/books/1", LD, &book.to_string());
    assert_eq!(serde_json::from_str::<Value>(&replaced.body).unwrap()["title"], "second");
    let patched = served.send(
        "PATCH",
        "/books/1",
        PATCH,
        "{\"rating\":null,\"publicationDate\":\"\",\"id\":\"/books/1\"}",
    );
    let patched: Value = serde_json::from_str(&patched.body).unwrap();
    assert_eq!(
        (&patched["rating"], &patched["title"], &patched["id"]),
        (&json!(null), &json!("second"), &json!(1))
    );
    let emptied = served.send("PUT", "/books/1", LD, "{\"title\":\"third\",\"sold\":true}");
    assert_eq!(emptied.head.status, 200);
    assert_eq!(served.document("/books/1")["sold"], true);
}
