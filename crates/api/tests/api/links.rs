//! Discovery (DIS.1): which responses name the hub, the event to continue after, and the topic.

use petasos_testkit::http::{self, Response};
use petasos_testkit::{PATIENCE, Postgres};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, Schema, Statement, TransactionTrait};

use crate::entities::book;
use crate::forms::{optional, plain};
use crate::support::{LD, PATCH, Served};

/// The links of a response that have this relation.
fn links(response: &Response, relation: &str) -> Vec<String> {
    let relation = format!("rel=\"{relation}\"");
    response.head.all("link").filter(|link| link.contains(&relation)).map(str::to_owned).collect()
}

#[test]
fn dis_1_every_response_about_a_live_resource_names_the_hub_and_the_newest_event() {
    let served = Served::start();
    let mut stream = served.subscribe("match=*");
    served.create("{\"title\":\"first\"}");
    let newest = stream.next_event().unwrap().id.unwrap();
    let expected =
        format!("<{}/.well-known/mercure>; rel=\"mercure\"; last-event-id=\"{newest}\"", served.url);
    for (method, path, content_type, body, status) in [
        ("GET", "/books", LD, "", 200),
        ("GET", "/books?page=9", LD, "", 200),
        ("HEAD", "/books", LD, "", 200),
        ("OPTIONS", "/books", LD, "", 204),
        ("GET", "/books/1", LD, "", 200),
        ("HEAD", "/books/1", LD, "", 200),
        ("OPTIONS", "/books/1", LD, "", 204),
        ("GET", "/books/404", LD, "", 404),
        ("HEAD", "/books/404", LD, "", 404),
        ("GET", "/books/%ff", LD, "", 404),
        ("DELETE", "/books/404", LD, "", 404),
        ("PATCH", "/books/1", "text/plain", "{}", 415),
        ("PATCH", "/books/1", PATCH, "{", 400),
        ("POST", "/books", LD, "{}", 422),
        ("PUT", "/books", LD, "{}", 405),
        ("POST", "/books/1", LD, "{}", 405),
    ] {
        let response = served.send(method, path, content_type, body);
        assert_eq!(response.head.status, status, "{method} {path}");
        assert_eq!(links(&response, "mercure"), [expected.as_str()], "{method} {path}");
    }
    for (method, path, body, status) in [
        ("POST", "/books", "{\"title\":\"second\"}", 201),
        ("PATCH", "/books/1", "{\"title\":\"third\"}", 200),
        ("DELETE", "/books/1", "", 204),
    ] {
        let response = served.send(method, path, if method == "PATCH" { PATCH } else { LD }, body);
        assert_eq!((response.head.status, links(&response, "mercure").len()), (status, 1), "{method} {path}");
    }
    for path in ["/books", "/books/1"] {
        let preflight = [("origin", "https://a.example"), ("access-control-request-method", "GET")];
        let preflight = http::request("OPTIONS", &format!("{}{path}", served.url), &preflight, "").unwrap();
        assert_eq!(links(&preflight, "mercure"), Vec::<String>::new());
    }
}

#[test]
fn dis_1_before_the_first_event_a_client_continues_from_the_beginning() {
    let served = Served::start();
    let said = links(&served.get("/books"), "mercure").remove(0);
    assert!(said.ends_with("; last-event-id=\"earliest\""), "{said}");
    served.create("{\"title\":\"meanwhile\"}");
    let mut late = served.subscribe("match=*&last_event_id=earliest");
    assert!(late.next_event().unwrap().data.contains("meanwhile"));
}

#[test]
fn dis_1_a_row_names_its_topic_and_what_is_no_topic_is_not_named() {
    let served = Served::start_with(
        &[],
        |app| app.resource::<book::Entity>().resource::<optional::Entity>(),
        async |db| {
            let schema = Schema::new(db.get_database_backend());
            db.execute(&schema.create_table_from_entity(book::Entity)).await.unwrap();
            db.execute(&schema.create_table_from_entity(optional::Entity)).await.unwrap();
        },
    );
    let topic = [format!("<{}/books/1>; rel=\"self\"", served.url)];
    let created = served.send("POST", "/books", LD, "{\"title\":\"first\"}");
    assert_eq!(links(&created, "self"), topic, "the address of the request is the list's");
    for path in ["/books/1", "/books/1?fields=title"] {
        assert_eq!(links(&served.get(path), "self"), topic, "{path}");
    }
    assert_eq!(links(&served.send("PATCH", "/books/1", PATCH, "{}"), "self"), topic);
    for path in ["/books", "/books/404"] {
        assert_eq!(links(&served.send("GET", path, LD, ""), "self"), Vec::<String>::new(), "{path}");
    }
    // Its options choose the topics, which may be any.
    served.runtime.block_on(optional::row(1, "ann").insert(&served.db)).unwrap();
    let other = served.get("/optionals/1");
    assert_eq!((other.head.status, links(&other, "self")), (200, Vec::<String>::new()));
}

/// A response that showed an old state and named a newer event would lose what lies between for its client.
#[test]
fn dis_1_the_event_is_looked_at_before_the_state() {
    let database = Postgres::shared().database().unwrap();
    let served = Served::start_with(
        &[("DATABASE_URL", &database)],
        |app| app.resource::<book::Entity>().resource::<plain::Entity>(),
        async |db| {
            let schema = Schema::new(db.get_database_backend());
            db.execute(&schema.create_table_from_entity(book::Entity)).await.unwrap();
            db.execute(&schema.create_table_from_entity(plain::Entity)).await.unwrap();
        },
    );
    let mut stream = served.subscribe("match=*");
    let row = book::ActiveModel { title: Set("there".to_owned()), ..Default::default() };
    served.runtime.block_on(row.insert(&served.db)).unwrap();
    let before = stream.next_event().unwrap().id.unwrap();

    let lock = served.runtime.block_on(served.db.begin()).unwrap();
    served.runtime.block_on(lock.execute_unprepared("LOCK TABLE book IN ACCESS EXCLUSIVE MODE")).unwrap();
    let url = format!("{}/books/1", served.url);
    let answer = std::thread::spawn(move || http::get(&url));
    served.runtime.block_on(until_somebody_waits(&served.db));
    served.runtime.block_on(plain::row(1, "ann").insert(&served.db)).unwrap();
    assert_ne!(stream.next_event().unwrap().id.unwrap(), before, "there is a newer event");
    served.runtime.block_on(lock.rollback()).unwrap();

    let answer = answer.join().unwrap().unwrap();
    assert_eq!(answer.head.status, 200);
    let said = links(&answer, "mercure").remove(0);
    assert!(said.ends_with(&format!("; last-event-id=\"{before}\"")), "{said}");
}

/// Until a statement waits for the lock on the books.
async fn until_somebody_waits(db: &sea_orm::DatabaseConnection) {
    let start = std::time::Instant::now();
    let question = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'book'::regclass";
    loop {
        let statement = Statement::from_string(db.get_database_backend(), question);
        let waiting: i64 = db.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap();
        if waiting > 0 {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "nobody reads the books");
        tokio::task::yield_now().await;
    }
}
