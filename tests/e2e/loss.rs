//! Nothing is lost: programs and servers are killed at the worst moments.

use petasos_testkit::{MariaDb, Postgres};
use petasos_tests::{Bookshop, Gate, Refusal};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::databases::{Chain, PUBLIC, SECRET, document, hub, title};

/// The field of a form or the header of a request, as it was sent.
fn part<'a>(request: &'a str, start: &str, end: char) -> &'a str {
    let from = request.find(start).unwrap() + start.len();
    request[from..].split(end).next().unwrap().trim()
}

/// A database in a file, which is removed with the folder.
fn file(folder: &TempDir) -> String {
    format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display())
}

fn a_shop_that_is_killed_between_commit_and_publication_publishes_when_it_is_back(url: String) {
    let chain = Chain::new(url);
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
fn on_sqlite_a_shop_that_is_killed_between_commit_and_publication_publishes_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    a_shop_that_is_killed_between_commit_and_publication_publishes_when_it_is_back(file(&folder));
}

#[test]
fn on_postgresql_a_shop_that_is_killed_between_commit_and_publication_publishes_when_it_is_back() {
    let url = Postgres::shared().database().unwrap();
    a_shop_that_is_killed_between_commit_and_publication_publishes_when_it_is_back(url);
}

#[test]
fn on_mariadb_a_shop_that_is_killed_between_commit_and_publication_publishes_when_it_is_back() {
    let url = MariaDb::shared().database().unwrap();
    a_shop_that_is_killed_between_commit_and_publication_publishes_when_it_is_back(url);
}

fn a_hub_drops_what_a_shop_repeats_that_was_killed_before_it_heard_the_answer(url: String) {
    let chain = Chain::new(url);
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
fn on_sqlite_a_hub_drops_what_a_shop_repeats_that_was_killed_before_it_heard_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    a_hub_drops_what_a_shop_repeats_that_was_killed_before_it_heard_the_answer(file(&folder));
}

#[test]
fn on_postgresql_a_hub_drops_what_a_shop_repeats_that_was_killed_before_it_heard_the_answer() {
    let url = Postgres::shared().database().unwrap();
    a_hub_drops_what_a_shop_repeats_that_was_killed_before_it_heard_the_answer(url);
}

#[test]
fn on_mariadb_a_hub_drops_what_a_shop_repeats_that_was_killed_before_it_heard_the_answer() {
    let url = MariaDb::shared().database().unwrap();
    a_hub_drops_what_a_shop_repeats_that_was_killed_before_it_heard_the_answer(url);
}

/// It was published that the row came, and nobody could say so in the outbox. Both changes are there, the row is not.
#[test]
fn a_row_that_came_is_gone_when_it_was_deleted_while_nobody_relayed() {
    let chain = Chain::new(Postgres::shared().database().unwrap());
    let gate = Gate::open(Some(&chain.hub)).unwrap();
    let mut shop = chain.shop_publishing_to(&gate.url);
    chain.sql("INSERT INTO book (id, title, author) VALUES (100, 'brief', 'Nobody')");
    gate.request().unwrap();
    shop.process.kill().unwrap();
    chain.sql("UPDATE book SET title = 'longer' WHERE id = 100; DELETE FROM book WHERE id = 100");
    let _again = chain.shop();
    let mut stream = chain.books();
    assert_eq!(title(&mut stream), ("/books/100".to_owned(), json!("brief")));
    assert_eq!(document(&mut stream), json!({"@id": "/books/100"}));
}

/// What happens in a minute without the hub happens as well in the moment until it is back: it is asked in vain, again and again.
fn changes_wait_for_a_hub_that_was_killed(database: &str) {
    let (mut process, url) = hub("127.0.0.1:0");
    let address = url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    let variables = [
        ("DATABASE_URL", database),
        ("PETASOS_PUBLIC_URL", PUBLIC),
        ("MERCURE_PUBLISH_URL", &url),
        ("MERCURE_JWT_SECRET", SECRET),
    ];
    let _shop = Bookshop::open(&variables).unwrap();
    process.kill().unwrap();
    petasos_testkit::sql(database, "UPDATE book SET title = 'one' WHERE id = 1").unwrap();
    // Nobody answers where the hub was, and then somebody who has no use for it.
    let refusal = Refusal::at(&address).unwrap();
    petasos_testkit::sql(
        database,
        "UPDATE book SET title = 'two' WHERE id = 2; DELETE FROM book WHERE id = 4",
    )
    .unwrap();
    refusal.times(5).unwrap();
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
fn on_sqlite_changes_wait_for_a_hub_that_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    changes_wait_for_a_hub_that_was_killed(&file(&folder));
}

#[test]
fn on_postgresql_changes_wait_for_a_hub_that_was_killed() {
    changes_wait_for_a_hub_that_was_killed(&Postgres::shared().database().unwrap());
}

#[test]
fn on_mariadb_changes_wait_for_a_hub_that_was_killed() {
    changes_wait_for_a_hub_that_was_killed(&MariaDb::shared().database().unwrap());
}

#[test]
fn a_postgresql_that_was_killed_and_comes_back_loses_nothing_that_was_committed() {
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
fn a_mariadb_that_was_killed_and_comes_back_loses_nothing_that_was_committed() {
    let server = MariaDb::start(&[]).unwrap();
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
}
