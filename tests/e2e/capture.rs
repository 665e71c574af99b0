//! A row changes, by whatever means, and subscribers have the new version, byte by byte.

use petasos_testkit::http;
use petasos_tests::Bookshop;
use serde_json::{Value, json};

const PATCH: [(&str, &str); 1] = [("content-type", "application/merge-patch+json")];
const LD: [(&str, &str); 1] = [("content-type", "application/ld+json")];

#[test]
fn every_response_about_a_book_announces_the_hub() {
    let shop = Bookshop::open(&[]).unwrap();
    let expected = format!("<{}/.well-known/mercure>; rel=\"mercure\"", shop.url);
    let (list, item, missing) = ("/books", "/books/1", "/books/4711");
    for (method, path, headers, body, status) in [
        ("GET", list, &LD[..], "", 200),
        ("HEAD", list, &[], "", 200),
        ("GET", item, &[], "", 200),
        ("HEAD", item, &[], "", 200),
        ("PATCH", item, &PATCH, "{}", 200),
        ("POST", list, &LD, "{}", 422),
        ("POST", list, &LD, "{", 400),
        ("POST", list, &[("content-type", "text/plain")], "x", 415),
        ("PATCH", item, &LD, "{}", 415),
        ("PUT", missing, &LD, "{}", 422),
        ("GET", missing, &[], "", 404),
        ("DELETE", missing, &[], "", 404),
        ("TRACE", item, &[], "", 405),
        ("OPTIONS", item, &[], "", 204),
        ("GET", item, &[("accept", "text/csv")], "", 406),
    ] {
        let response = http::request(method, &format!("{}{path}", shop.url), headers, body).unwrap();
        assert_eq!(response.head.status, status, "{method} {path}: {response:?}");
        let links: Vec<&str> = response.head.all("link").collect();
        assert!(links[0].ends_with("rel=\"http://www.w3.org/ns/hydra/core#apiDocumentation\""), "{links:?}");
        let cursor =
            links[1].strip_prefix(&expected).and_then(|rest| rest.strip_prefix("; last-event-id=\""));
        assert!(cursor.is_some_and(|cursor| cursor.len() > 1), "{method} {path}: {links:?}");
        let topic = format!("<{}{path}>; rel=\"self\"", shop.url);
        let own: &[&str] = if path == item && status == 200 { &[&topic] } else { &[] };
        assert_eq!(&links[2..], own, "{method} {path}");
    }
    let preflight = [("origin", "https://a.example"), ("access-control-request-method", "PATCH")];
    let response = http::request("OPTIONS", &format!("{}{item}", shop.url), &preflight, "").unwrap();
    assert_eq!(response.head.all("link").count(), 1, "nobody can read it there");
}

/// What the newest event of the hub was when a response was made.
fn cursor(response: &http::Response) -> String {
    let link = response.head.all("link").find(|link| link.contains("rel=\"mercure\"")).unwrap();
    link.split("last-event-id=\"").nth(1).unwrap().trim_end_matches('"').to_owned()
}

#[test]
fn a_client_that_passes_the_last_event_id_on_misses_nothing() {
    let shop = Bookshop::open(&[]).unwrap();
    let mut witness = shop.books().unwrap();
    for round in 0..2 {
        let response = http::get(&format!("{}/books/1", shop.url)).unwrap();
        shop.sql(&format!("UPDATE book SET title = 'missed {round}' WHERE id = 1")).unwrap();
        assert!(witness.next_event().unwrap().data.contains(&format!("missed {round}")));
        let url = format!("{}?match_urlpattern=/books/:id&last_event_id={}", shop.hub, cursor(&response));
        let mut late = petasos_testkit::Stream::open(&url, &[]).unwrap();
        let event = late.next_event().unwrap();
        assert!(event.data.contains(&format!("missed {round}")), "{event:?}");
        assert_eq!(cursor(&http::get(&format!("{}/books/1", shop.url)).unwrap()), event.id.unwrap());
    }
}

#[test]
fn the_api_and_another_program_reach_every_subscriber_byte_by_byte() {
    let shop = Bookshop::open(&[]).unwrap();
    let (mut one, mut two) = (shop.books().unwrap(), shop.books().unwrap());
    let book = |title: &str| {
        format!(
            "{{\"@context\":\"/contexts/Book\",\"@id\":\"/books/100\",\"@type\":\"Book\",\"id\":100,\"title\":\"{title}\",\
             \"author\":\"Nobody\",\"isbn\":null,\"publicationDate\":null,\"priceCents\":null,\"description\":null}}"
        )
    };
    let mut expect = |data: &str| {
        for stream in [&mut one, &mut two] {
            let event = stream.next_event().unwrap();
            let id = event.id.clone().unwrap();
            assert!(id.starts_with("urn:uuid:"), "{id}");
            assert_eq!(event.raw, format!("id: {id}\ndata: {data}\n\n"));
        }
    };
    shop.sql("INSERT INTO book (id, title, author) VALUES (100, 'One', 'Nobody')").unwrap();
    expect(&book("One"));
    let url = format!("{}/books/100", shop.url);
    let patched = http::request("PATCH", &url, &PATCH, "{\"title\":\"Two\"}").unwrap();
    assert_eq!(patched.body, book("Two"));
    expect(&book("Two"));
    // What GET shows is what was pushed.
    assert_eq!(http::get(&url).unwrap().body, book("Two"));
    let whole = json!({"@id": "/books/100", "id": "/books/100", "title": "Three", "author": "Nobody", "strange": [1]});
    let replaced = http::request("PUT", &url, &LD, &whole.to_string()).unwrap();
    assert_eq!((replaced.head.status, replaced.body.as_str()), (200, book("Three").as_str()));
    expect(&book("Three"));
    shop.sql("UPDATE book SET title = 'Four' WHERE id = 100").unwrap();
    expect(&book("Four"));
    let deleted = http::request("DELETE", &url, &[], "").unwrap();
    assert_eq!((deleted.head.status, deleted.body.as_str()), (204, ""));
    expect("{\"@id\":\"/books/100\"}");
    shop.sql("DELETE FROM book WHERE id = 1").unwrap();
    expect("{\"@id\":\"/books/1\"}");
}

#[test]
fn a_created_book_has_its_place_and_is_published() {
    let shop = Bookshop::open(&[]).unwrap();
    let mut stream = shop.books().unwrap();
    let body =
        "{\"title\":\"New\",\"author\":\"Someone\",\"publicationDate\":\"2026-01-02\",\"priceCents\":100}";
    let created = http::request("POST", &format!("{}/books", shop.url), &LD, body).unwrap();
    assert_eq!(created.head.status, 201);
    let document: Value = serde_json::from_str(&created.body).unwrap();
    assert_eq!(created.head.header("location"), document["@id"].as_str());
    assert_eq!(stream.next_event().unwrap().data, created.body);
    let plain = [("accept", "application/json")];
    let as_json =
        http::request("GET", &format!("{}{}", shop.url, document["@id"].as_str().unwrap()), &plain, "")
            .unwrap();
    let as_json: Value = serde_json::from_str(&as_json.body).unwrap();
    assert_eq!((as_json.get("@id"), &as_json["title"]), (None, &json!("New")));
}

#[test]
fn what_is_rolled_back_is_never_published() {
    let shop = Bookshop::open(&[]).unwrap();
    let mut stream = shop.books().unwrap();
    shop.sql("BEGIN; UPDATE book SET title = 'never' WHERE id = 1; ROLLBACK").unwrap();
    shop.sql("BEGIN; UPDATE book SET title = 'kept' WHERE id = 2; SAVEPOINT s; UPDATE book SET title = 'never'; ROLLBACK TO s; COMMIT").unwrap();
    let event: Value = serde_json::from_str(&stream.next_event().unwrap().data).unwrap();
    assert_eq!((&event["@id"], &event["title"]), (&json!("/books/2"), &json!("kept")));
    shop.sql("UPDATE book SET title = 'last' WHERE id = 3").unwrap();
    let event: Value = serde_json::from_str(&stream.next_event().unwrap().data).unwrap();
    assert_eq!((&event["@id"], &event["title"]), (&json!("/books/3"), &json!("last")));
}

#[test]
fn a_client_that_comes_back_misses_nothing() {
    let shop = Bookshop::open(&[]).unwrap();
    let mut stream = shop.books().unwrap();
    shop.sql("UPDATE book SET title = 'seen' WHERE id = 1").unwrap();
    let seen = stream.next_event().unwrap().id.unwrap();
    drop(stream);
    shop.sql(
        "UPDATE book SET title = 'missed' WHERE id = 2; UPDATE book SET title = 'missed too' WHERE id = 3",
    )
    .unwrap();
    let url = format!("{}?match_urlpattern=/books/:id", shop.hub);
    let mut back = petasos_testkit::Stream::open(&url, &[("last-event-id", &seen)]).unwrap();
    let titles = [(); 2]
        .map(|()| serde_json::from_str::<Value>(&back.next_event().unwrap().data).unwrap()["title"].clone());
    assert_eq!(titles, [json!("missed"), json!("missed too")]);
}

#[test]
fn what_happened_while_the_shop_was_closed_is_published_when_it_opens() {
    let mut shop = Bookshop::open(&[]).unwrap();
    assert_eq!(shop.process.stop().unwrap().0, Some(0));
    shop.sql("UPDATE book SET title = 'overnight' WHERE id = 1").unwrap();
    let file = shop.database();
    let url = format!("sqlite://{}", file.display());
    let again = Bookshop::open(&[("DATABASE_URL", &url)]).unwrap();
    let mut stream =
        petasos_testkit::Stream::open(&format!("{}?match=*&last_event_id=earliest", again.hub), &[]).unwrap();
    let event: Value = serde_json::from_str(&stream.next_event().unwrap().data).unwrap();
    assert_eq!(event["title"], "overnight");
}
