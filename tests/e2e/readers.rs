//! Two readers of the bookshop: each sees, over HTTP and on the page, what is theirs and nothing else.

use petasos_testkit::http::{self, Response};
use petasos_testkit::{Browser, Stream};
use petasos_tests::Bookshop;
use serde_json::Value;

fn ask(shop: &Bookshop, method: &str, path: &str, reader: &str, body: &str) -> Response {
    let headers = [("bookshop-reader", reader), ("content-type", "application/ld+json")];
    http::request(method, &format!("{}{path}", shop.url), &headers, body).unwrap()
}

fn document(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap()
}

/// What a reader's token lets them receive.
fn follow(shop: &Bookshop, reader: &str) -> Stream {
    let answer = ask(shop, "GET", "/.well-known/mercure-token", reader, "");
    let bearer = format!("Bearer {}", document(&answer)["access_token"].as_str().unwrap());
    Stream::open(&format!("{}?match=*", shop.hub), &[("authorization", bearer.as_str())]).unwrap()
}

#[test]
fn lists_show_what_is_the_readers() {
    let shop = Bookshop::open(&[]).unwrap();
    let customers = |reader: &str, query: &str| -> Vec<String> {
        let list = document(&ask(&shop, "GET", &format!("/orders{query}"), reader, ""));
        let members = list["hydra:member"].as_array().unwrap().clone();
        members.iter().map(|order| order["customer"].as_str().unwrap().to_owned()).collect()
    };
    for query in ["", "?customer=bob", "?customer[]=bob&customer%5B0%5D=bob"] {
        let ann = customers("ann", query);
        assert!(!ann.is_empty() && ann.iter().all(|customer| customer == "ann"), "{query}: {ann:?}");
    }
    // A name that contains another one is somebody else's.
    shop.sql("INSERT INTO orders (customer, book_id, status) VALUES ('joann', 1, 'hers')").unwrap();
    assert!(customers("ann", "").iter().all(|customer| customer == "ann"));
    let placed =
        ask(&shop, "POST", "/orders", "ann", "{\"bookId\":3,\"customer\":\"bob\",\"status\":\"paid\"}");
    assert_eq!(placed.head.status, 201, "{placed:?}");
    let order = document(&placed);
    assert_eq!((&order["customer"], &order["status"]), (&"ann".into(), &"placed".into()));
    let path = order["@id"].as_str().unwrap();
    for (method, path, reader, status) in [
        ("GET", path, "ann", 200),
        ("GET", path, "bob", 404),
        ("DELETE", path, "bob", 404),
        ("PATCH", path, "ann", 403),
        ("PUT", path, "bob", 403),
        ("GET", "/orders", "nobody", 401),
        ("GET", path, "nobody", 401),
        ("POST", "/announcements", "ann", 403),
        ("DELETE", path, "ann", 204),
    ] {
        assert_eq!(ask(&shop, method, path, reader, "{}").head.status, status, "{method} {path} {reader}");
    }
}

#[test]
fn auth_5_the_hub_tells_each_reader_what_concerns_them() {
    let shop = Bookshop::open(&[]).unwrap();
    let (mut ann, mut bob) = (follow(&shop, "ann"), follow(&shop, "bob"));
    shop.sql(
        "INSERT INTO orders (customer, book_id, status) VALUES ('ann', 1, 'for ann'), ('bob', 2, 'for bob')",
    )
    .unwrap();
    shop.sql(
        "INSERT INTO announcement (audience, text) VALUES ('staff', 'for staff'), ('readers', 'for readers')",
    )
    .unwrap();
    shop.sql("DELETE FROM orders WHERE status = 'for ann'; UPDATE book SET title = 'for all' WHERE id = 1")
        .unwrap();
    let seen = |stream: &mut Stream| -> Vec<String> {
        let mut told = Vec::new();
        while told.last().is_none_or(|last| last != "for all") {
            let event: Value = serde_json::from_str(&stream.next_event().unwrap().data).unwrap();
            let text = ["status", "text", "title"].iter().find_map(|name| event[*name].as_str());
            told.push(text.unwrap_or("gone").to_owned());
        }
        told
    };
    assert_eq!(seen(&mut ann), ["for ann", "for readers", "gone", "for all"]);
    assert_eq!(seen(&mut bob), ["for bob", "for staff", "for readers", "for all"]);
}

fn panel(reader: &str) -> String {
    format!("document.querySelector('[data-reader=\"{reader}\"]')")
}

fn shows(reader: &str, text: &str) -> String {
    format!("{}.innerText.includes({text:?})", panel(reader))
}

#[test]
fn two_readers_side_by_side_are_told_different_things() {
    let shop = Bookshop::open(&[]).unwrap();
    let browser = Browser::start(1280, 900).unwrap();
    browser.goto(&shop.url).unwrap();
    for reader in ["ann", "bob"] {
        browser
            .wait_until(&format!("{}.querySelector('.reader-state').dataset.state === 'open'", panel(reader)))
            .unwrap();
    }
    browser.execute(&format!("{}.querySelector('.reader-order').click()", panel("ann"))).unwrap();
    browser.wait_until(&shows("ann", "placed")).unwrap();
    shop.sql("UPDATE orders SET status = 'sent to ann' WHERE customer = 'ann'").unwrap();
    browser.wait_until(&shows("ann", "sent to ann")).unwrap();
    shop.sql("INSERT INTO announcement (audience, text) VALUES ('staff', 'A word to the staff')").unwrap();
    shop.sql("INSERT INTO announcement (audience, text) VALUES ('readers', 'A word to the readers')")
        .unwrap();
    for reader in ["ann", "bob"] {
        browser.wait_until(&shows(reader, "A word to the readers")).unwrap();
    }
    browser.wait_until(&shows("bob", "A word to the staff")).unwrap();
    for (reader, text) in [("ann", "A word to the staff"), ("bob", "sent to ann")] {
        assert_eq!(
            browser.execute(&format!("return {}", shows(reader, text))).unwrap(),
            false,
            "{reader}: {text}"
        );
    }
    shop.sql("DELETE FROM orders WHERE customer = 'ann'").unwrap();
    browser
        .wait_until(&format!(
            "{}.querySelector('[data-list=\"orders\"]').children.length === 0",
            panel("ann")
        ))
        .unwrap();
    // The books' stream is nobody's: what the panels do leaves it alone.
    shop.sql("UPDATE book SET title = 'Still live' WHERE id = 1").unwrap();
    browser
        .wait_until(
            "[...document.querySelectorAll('.card')].some((card) => card.innerText.includes('Still live'))",
        )
        .unwrap();
    assert_eq!(browser.errors().unwrap(), Vec::<String>::new());
    for width in [360, 768] {
        browser.emulate(width, 780, false).unwrap();
        let overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(browser.execute(overflow).unwrap(), 0, "{width}");
    }
}
