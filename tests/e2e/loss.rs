//! Nothing is lost: programs and servers are killed at the worst moments.

use petasos_testkit::{Postgres, sqlite};
use petasos_tests::{Bookshop, Gate};
use serde_json::{Value, json};

use crate::databases::{Chain, PUBLIC, SECRET, document, hub, title};

/// The field of a form or the header of a request, as it was sent.
fn part<'a>(request: &'a str, start: &str, end: char) -> &'a str {
    let from = request.find(start).unwrap() + start.len();
    request[from..].split(end).next().unwrap().trim()
}

#[test]
fn a_shop_that_is_killed_between_commit_and_publication_publishes_when_it_is_back() {
    let chain = Chain::new(Postgres::shared().database().unwrap());
    let gate = Gate::open(None).unwrap();
    let mut shop = chain.shop_publishing_to(&gate.url);
    chain.sql("UPDATE book SET title = 'committed' WHERE id = 1; UPDATE book SET title = 'too' WHERE id = 2");
    let request = gate.request().unwrap();
    shop.process.kill().unwrap();
    chain.sql("UPDATE book SET title = 'last' WHERE id = 2; DELETE FROM book WHERE id = 3");
    let _again = chain.shop();
    let mut stream = chain.books();
    let first = stream.next_event().unwrap();
    // The hub that never answered had been told the same id and key.
    let id = part(&request, "&id=", '&').replace("%3A", ":");
    assert_eq!(first.id.as_deref(), Some(id.as_str()));
    assert_eq!(part(&request.to_ascii_lowercase(), "idempotency-key:", '\r').trim_matches('"'), id);
    let first: Value = serde_json::from_str(&first.data).unwrap();
    assert_eq!((&first["@id"], &first["title"]), (&json!("/books/1"), &json!("committed")));
    assert_eq!(title(&mut stream), ("/books/2".to_owned(), json!("last")));
    assert_eq!(document(&mut stream), json!({"@id": "/books/3"}));
}

#[test]
fn a_hub_drops_what_a_shop_repeats_that_was_killed_before_it_heard_the_answer() {
    let chain = Chain::new(Postgres::shared().database().unwrap());
    let gate = Gate::open(Some(&chain.hub)).unwrap();
    let mut shop = chain.shop_publishing_to(&gate.url);
    chain.sql("UPDATE book SET title = 'once' WHERE id = 1");
    gate.request().unwrap();
    shop.process.kill().unwrap();
    let _again = chain.shop();
    chain.sql("UPDATE book SET title = 'next' WHERE id = 2");
    let mut stream = chain.books();
    assert_eq!(title(&mut stream), ("/books/1".to_owned(), json!("once")));
    assert_eq!(title(&mut stream), ("/books/2".to_owned(), json!("next")));
}

#[test]
fn changes_wait_for_a_hub_that_was_killed() {
    let (mut process, url) = hub("127.0.0.1:0");
    let address = url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    let database = Postgres::shared().database().unwrap();
    let variables = [
        ("DATABASE_URL", database.as_str()),
        ("PETASOS_PUBLIC_URL", PUBLIC),
        ("MERCURE_PUBLISH_URL", &url),
        ("MERCURE_JWT_SECRET", SECRET),
    ];
    let shop = Bookshop::open(&variables).unwrap();
    process.kill().unwrap();
    shop.sql("UPDATE book SET title = 'one' WHERE id = 1").unwrap();
    shop.sql("UPDATE book SET title = 'two' WHERE id = 2; DELETE FROM book WHERE id = 4").unwrap();
    let (_process, _) = hub(&address);
    let mut stream = petasos_testkit::Stream::open(
        &format!("{url}?match_urlpattern={PUBLIC}/books/:id&last_event_id=earliest"),
        &[],
    )
    .unwrap();
    assert_eq!(title(&mut stream), ("/books/1".to_owned(), json!("one")));
    assert_eq!(title(&mut stream), ("/books/2".to_owned(), json!("two")));
    assert_eq!(document(&mut stream), json!({"@id": "/books/4"}));
}

#[test]
fn a_database_that_was_killed_and_comes_back_loses_nothing_that_was_committed() {
    let server = Postgres::start(&[]).unwrap();
    let chain = Chain::new(server.database().unwrap());
    let gate = Gate::open(None).unwrap();
    let mut shop = chain.shop_publishing_to(&gate.url);
    chain.sql("UPDATE book SET title = 'before' WHERE id = 1");
    gate.request().unwrap();
    server.restart().unwrap();
    chain.sql("UPDATE book SET title = 'after' WHERE id = 2");
    shop.process.kill().unwrap();
    let _again = chain.shop();
    let mut stream = chain.books();
    assert_eq!(title(&mut stream), ("/books/1".to_owned(), json!("before")));
    assert_eq!(title(&mut stream), ("/books/2".to_owned(), json!("after")));
    // The shop that runs survives it, too.
    server.restart().unwrap();
    chain.sql("UPDATE book SET title = 'again' WHERE id = 3");
    assert_eq!(title(&mut stream), ("/books/3".to_owned(), json!("again")));
    server.stop().unwrap();
    server.go_on().unwrap();
    chain.sql("DELETE FROM book WHERE id = 3");
    assert_eq!(document(&mut stream), json!({"@id": "/books/3"}));
}

#[test]
fn on_sqlite_a_shop_that_is_killed_publishes_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.db");
    let chain = Chain::new(format!("sqlite://{}?mode=rwc", file.display()));
    let gate = Gate::open(Some(&chain.hub)).unwrap();
    let mut shop = chain.shop_publishing_to(&gate.url);
    sqlite(&file, "UPDATE book SET title = 'once' WHERE id = 1").unwrap();
    gate.request().unwrap();
    shop.process.kill().unwrap();
    sqlite(&file, "UPDATE book SET title = 'meanwhile' WHERE id = 2").unwrap();
    let _again = chain.shop();
    let mut stream = chain.books();
    assert_eq!(title(&mut stream), ("/books/1".to_owned(), json!("once")));
    assert_eq!(title(&mut stream), ("/books/2".to_owned(), json!("meanwhile")));
}
