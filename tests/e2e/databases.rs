//! The bookshop on database servers: every way to change a row, and more than one shop on one database.

use petasos_testkit::{MariaDb, Postgres, Process, Stream, http};
use petasos_tests::Bookshop;
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "a secret that both processes know, long enough";
/// What shops on one database say of themselves.
pub(crate) const PUBLIC: &str = "http://shop.test";

/// A database, and shops on it that publish to one hub.
pub(crate) struct Chain {
    pub(crate) url: String,
    pub(crate) hub: String,
    _hub: Process,
}

impl Chain {
    pub(crate) fn new(url: String) -> Self {
        let (process, hub) = hub("127.0.0.1:0");
        Self { url, hub, _hub: process }
    }

    pub(crate) fn shop(&self) -> Bookshop {
        self.shop_publishing_to(&self.hub)
    }

    pub(crate) fn shop_publishing_to(&self, hub: &str) -> Bookshop {
        Bookshop::open(&[
            ("DATABASE_URL", &self.url),
            ("PETASOS_PUBLIC_URL", PUBLIC),
            ("MERCURE_PUBLISH_URL", hub),
            ("MERCURE_SUBSCRIBE_URL", &self.hub),
            ("MERCURE_JWT_SECRET", SECRET),
        ])
        .unwrap()
    }

    pub(crate) fn sql(&self, sql: &str) {
        petasos_testkit::sql(&self.url, sql).unwrap();
    }

    /// All books, from the oldest event on that the hub has.
    pub(crate) fn books(&self) -> Stream {
        Stream::open(&format!("{}?match_urlpattern={PUBLIC}/books/:id&last_event_id=earliest", self.hub), &[])
            .unwrap()
    }
}

pub(crate) fn hub(listen: &str) -> (Process, String) {
    let args = ["hub", "--dev", "--listen", listen, "--transport", "memory:"];
    let keys = [("MERCURE_PUBLISHER_JWT_KEY", SECRET)];
    let mut process = Process::start("petasos", &args, &keys, &std::env::temp_dir()).unwrap();
    let url = process.url("hub").unwrap();
    (process, url)
}

pub(crate) fn document(stream: &mut Stream) -> Value {
    serde_json::from_str(&stream.next_event().unwrap().data).unwrap()
}

pub(crate) fn title(stream: &mut Stream) -> (String, Value) {
    let mut document = document(stream);
    (document["@id"].as_str().unwrap().to_owned(), document["title"].take())
}

fn every_way_to_change_a_row_reaches_subscribers(url: &str) {
    let shop = Bookshop::open(&[("DATABASE_URL", url)]).unwrap();
    let mut stream = shop.books().unwrap();
    let book = format!("{}/books/1", shop.url);
    let patch = [("content-type", "application/merge-patch+json")];
    let patched = http::request("PATCH", &book, &patch, "{\"title\":\"By the API\"}").unwrap();
    assert_eq!(patched.head.status, 200);
    assert_eq!(stream.next_event().unwrap().data, patched.body);
    shop.sql("UPDATE book SET title = 'By SQL', publication_date = '2026-12-31' WHERE id = 1").unwrap();
    let event = stream.next_event().unwrap();
    assert_eq!(event.data, http::get(&book).unwrap().body);
    assert!(event.data.contains("\"publicationDate\":\"2026-12-31\""), "{}", event.data);
    shop.sql("BEGIN; UPDATE book SET title = 'never' WHERE id = 2; ROLLBACK").unwrap();
    shop.sql("INSERT INTO book (title, author) SELECT title, 'copied' FROM book WHERE id IN (3, 4, 5)")
        .unwrap();
    let authors = [(); 3].map(|()| document(&mut stream)["author"].take());
    assert_eq!(authors, [json!("copied"), json!("copied"), json!("copied")]);
    let deleted = http::request("DELETE", &format!("{}/books/6", shop.url), &[], "").unwrap();
    assert_eq!(deleted.head.status, 204);
    assert_eq!(document(&mut stream), json!({"@id": "/books/6"}));
    // Its reviews go with it, and whoever shows them is told.
    let reviews = format!("{}?match_urlpattern={}/reviews/:id", shop.hub, shop.url);
    let mut reviews = Stream::open(&reviews, &[]).unwrap();
    let listed = http::get(&format!("{}/reviews?bookId=7", shop.url)).unwrap().body;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let mut expected: Vec<_> =
        listed["hydra:member"].as_array().unwrap().iter().map(|one| &one["@id"]).collect();
    assert!(!expected.is_empty(), "{listed}");
    let deleted = http::request("DELETE", &format!("{}/books/7", shop.url), &[], "").unwrap();
    assert_eq!(deleted.head.status, 204);
    while !expected.is_empty() {
        let gone = document(&mut reviews);
        // Those of the book before may come meanwhile.
        expected.retain(|id| gone != json!({"@id": id}));
    }
}

#[test]
fn on_sqlite_every_way_to_change_a_row_reaches_subscribers() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display());
    every_way_to_change_a_row_reaches_subscribers(&url);
}

#[test]
fn on_postgresql_every_way_to_change_a_row_reaches_subscribers() {
    every_way_to_change_a_row_reaches_subscribers(&Postgres::shared().database().unwrap());
}

#[test]
fn on_mariadb_every_way_to_change_a_row_reaches_subscribers() {
    every_way_to_change_a_row_reaches_subscribers(&MariaDb::shared().database().unwrap());
}

/// Both directions, because nobody knows which of them leads.
fn one_relays_and_the_other_takes_over(chain: &Chain) {
    let (mut one, mut two) = (chain.shop(), chain.shop());
    let mut stream = chain.books();
    chain.sql("UPDATE book SET title = 'both' WHERE id = 1");
    assert_eq!(title(&mut stream), ("/books/1".to_owned(), json!("both")));
    one.process.kill().unwrap();
    chain.sql("UPDATE book SET title = 'second' WHERE id = 2");
    assert_eq!(title(&mut stream), ("/books/2".to_owned(), json!("second")));
    let _three = chain.shop();
    two.process.kill().unwrap();
    chain.sql("UPDATE book SET title = 'third' WHERE id = 3");
    assert_eq!(title(&mut stream), ("/books/3".to_owned(), json!("third")));
}

#[test]
fn of_two_shops_on_one_postgresql_one_relays_and_the_other_takes_over_when_it_is_killed() {
    one_relays_and_the_other_takes_over(&Chain::new(Postgres::shared().database().unwrap()));
}

#[test]
fn of_two_shops_on_one_mariadb_one_relays_and_the_other_takes_over_when_it_is_killed() {
    one_relays_and_the_other_takes_over(&Chain::new(MariaDb::shared().database().unwrap()));
}

#[test]
fn of_two_shops_on_one_sqlite_file_one_relays_and_the_other_takes_over_when_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display());
    one_relays_and_the_other_takes_over(&Chain::new(url));
}
