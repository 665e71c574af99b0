//! MariaDB: what another program, a foreign key or a long transaction does is noticed as well.

use petasos_changes::{Change, Column, ColumnKind, Error, Operation, Outbox, Table, merge};
use petasos_testkit::{MariaDb, PATIENCE, sql};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, TransactionTrait};
use serde_json::{Value, json};

struct Fixture {
    url: String,
    other: String,
    db: DatabaseConnection,
}

impl Fixture {
    async fn new() -> Self {
        let server = MariaDb::shared();
        let (url, other) = (server.database().unwrap(), server.database().unwrap());
        let mut options = ConnectOptions::new(&url);
        options.max_connections(4).sqlx_logging(false);
        let other = other.split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
        let fixture = Self { db: Database::connect(options).await.unwrap(), url, other };
        for statement in TABLES.split(';').filter(|statement| !statement.trim().is_empty()) {
            fixture.run(&statement.replace("OTHER", &fixture.other)).await;
        }
        fixture
    }

    async fn outbox(&self) -> Outbox {
        let outbox = Outbox::install(&self.db, &self.tables()).await.unwrap();
        assert!(outbox.lead().await.unwrap());
        outbox
    }

    async fn run(&self, sql: &str) {
        self.db.execute_unprepared(sql).await.unwrap();
    }

    fn shell(&self, text: &str) -> String {
        sql(&self.url, text).unwrap().trim().to_owned()
    }

    fn tables(&self) -> Vec<Table> {
        use ColumnKind::{Boolean, Bytes, DateTime, Decimal, Json, Plain, Timestamp, Uuid};
        let book = columns(&[
            ("id", Plain),
            ("title", Plain),
            ("The Cover", Bytes),
            ("owners", Json),
            ("notes", Json),
            ("price", Decimal),
            ("published", Plain),
            ("sold_at", DateTime),
            ("seen_at", Timestamp),
            ("sold", Boolean),
            ("weight", Plain),
        ]);
        let line = columns(&[("order", Plain), ("number", Plain)]);
        let token = columns(&[("id", Uuid), ("line", Plain)]);
        let seal = columns(&[("book", Plain), ("shelf", Plain)]);
        vec![
            Table::new("book", columns(&[("id", Plain)]), book).in_schema(Some(&self.other)),
            Table::new("line", line.clone(), line),
            Table::new("token", columns(&[("id", Uuid)]), token),
            Table::new("seal", columns(&[("book", Plain)]), seal),
        ]
    }

    fn book(&self, operation: Operation, id: i64) -> (String, Operation, Value) {
        entry(&format!("{}.book", self.other), operation, json!({"id": id}))
    }
}

/// Nobody watches `shelf` and `box`, whose rows take rows of other tables with them.
const TABLES: &str = "
    CREATE TABLE shelf (id int PRIMARY KEY);
    CREATE TABLE OTHER.book (
        id int AUTO_INCREMENT PRIMARY KEY, title text, `The Cover` varbinary(100), owners json, notes longtext, price decimal(30, 9),
        published date, sold_at datetime(1), seen_at timestamp NULL, sold boolean, weight double, pages int);
    CREATE TABLE line (`order` varchar(50), number smallint, PRIMARY KEY (`order`, number));
    CREATE TABLE box (id int PRIMARY KEY, shelf int, FOREIGN KEY (shelf) REFERENCES shelf (id) ON DELETE CASCADE ON UPDATE CASCADE);
    CREATE TABLE token (id binary(16) PRIMARY KEY, line int, box int,
        FOREIGN KEY (box) REFERENCES box (id) ON DELETE CASCADE ON UPDATE CASCADE);
    CREATE TABLE seal (book int PRIMARY KEY, shelf int,
        FOREIGN KEY (book) REFERENCES OTHER.book (id) ON DELETE CASCADE ON UPDATE CASCADE,
        FOREIGN KEY (shelf) REFERENCES shelf (id) ON DELETE SET NULL);";

fn columns(names: &[(&str, ColumnKind)]) -> Vec<Column> {
    names.iter().map(|(name, kind)| Column::new(*name, *kind)).collect()
}

async fn next(outbox: &Outbox) -> Vec<Change> {
    tokio::time::timeout(PATIENCE, outbox.wait()).await.expect("no change was noticed").unwrap();
    let changes = outbox.batch(100_000).await.unwrap();
    outbox.acknowledge(&changes.iter().map(|change| change.seq).collect::<Vec<_>>()).await.unwrap();
    changes
}

fn summary(changes: &[Change]) -> Vec<(String, Operation, Value)> {
    let one = |change: &Change| (change.table.clone(), change.operation, Value::Object(change.key.clone()));
    changes.iter().map(one).collect()
}

fn entry(table: &str, operation: Operation, key: Value) -> (String, Operation, Value) {
    (table.to_owned(), operation, key)
}

#[tokio::test]
async fn each_operation_is_noticed_with_key_and_old_row() {
    let fixture = Fixture::new().await;
    let outbox = fixture.outbox().await;
    let book = format!("{}.book", fixture.other);
    fixture.shell(&format!(
        "SET time_zone = '+01:00'; INSERT INTO {book} VALUES (1, 'Du\"ne\\\\', X'00ff', '[\"ann\"]', 'no json', \
         12345678901234567890.123456789, '2026-12-31', '2026-12-31 23:59:00.5', '2026-12-31 23:59:00', true, 0.1, NULL)"
    ));
    let update = "title = NULL, price = NULL, sold = NULL, owners = '\"1\"'";
    fixture.shell(&format!("SET time_zone = '-05:00'; UPDATE {book} SET {update}"));
    fixture.run(&format!("DELETE FROM {book}")).await;
    let changes = next(&outbox).await;
    let expected = [Operation::Insert, Operation::Update, Operation::Delete];
    assert_eq!(summary(&changes), expected.map(|operation| fixture.book(operation, 1)));
    assert_eq!(changes[0].old, None);
    let old = json!({
        "id": 1, "title": "Du\"ne\\", "The Cover": "00FF", "owners": ["ann"], "notes": "no json",
        "price": "12345678901234567890.123456789", "published": "2026-12-31", "sold_at": "2026-12-31T23:59:00.5",
        "seen_at": "2026-12-31T22:59:00Z", "sold": true, "weight": 0.1,
    });
    assert_eq!(Value::Object(changes[1].old.clone().unwrap()), old);
    let old = changes[2].old.as_ref().unwrap();
    assert_eq!([&old["title"], &old["price"], &old["sold"]], [&json!(null); 3]);
    assert_eq!(old["owners"], "1");
    assert_eq!(outbox.status().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn keys_of_several_columns_of_texts_and_of_uuids_are_told_apart() {
    let fixture = Fixture::new().await;
    let outbox = fixture.outbox().await;
    fixture.run("INSERT INTO line VALUES ('a/b', 1), ('a/b', 2)").await;
    fixture.run("INSERT INTO token VALUES (X'00112233445566778899AABBCCDDEEFF', NULL, NULL)").await;
    let line = |number: i64| json!({"order": "a/b", "number": number});
    let insert = |table, key| entry(table, Operation::Insert, key);
    let id = json!({"id": "00112233-4455-6677-8899-aabbccddeeff"});
    assert_eq!(
        summary(&next(&outbox).await),
        [insert("line", line(1)), insert("line", line(2)), insert("token", id)]
    );
    fixture.run("DELETE FROM line WHERE number = 2").await;
    // Another spelling is another key, although the server takes them for equal.
    fixture.run("UPDATE line SET `order` = 'A/b'").await;
    let merged = merge(next(&outbox).await);
    let merged: Vec<_> = merged.iter().map(|row| (Value::Object(row.key.clone()), row.operation)).collect();
    let expected = [
        (line(2), Operation::Delete),
        (line(1), Operation::Delete),
        (json!({"order": "A/b", "number": 1}), Operation::Insert),
    ];
    assert_eq!(merged, expected);
}

#[tokio::test]
async fn bulk_statements_and_replacements_are_noticed_row_by_row() {
    let fixture = Fixture::new().await;
    let outbox = fixture.outbox().await;
    let book = format!("{}.book", fixture.other);
    fixture.run(&format!("INSERT INTO {book} (id) SELECT seq FROM seq_1_to_500")).await;
    assert_eq!(next(&outbox).await.len(), 500);
    fixture.run(&format!("UPDATE {book} SET title = 'x' WHERE id > 490")).await;
    assert!(next(&outbox).await.iter().all(|change| change.operation == Operation::Update));
    fixture.run(&format!("DELETE FROM {book} WHERE id > 2")).await;
    assert_eq!(next(&outbox).await.len(), 498);
    fixture.run(&format!("REPLACE INTO {book} (id, title) VALUES (2, 'new')")).await;
    fixture
        .run(&format!("INSERT INTO {book} (id) VALUES (2), (3) ON DUPLICATE KEY UPDATE title = 'newer'"))
        .await;
    let merged = merge(next(&outbox).await);
    let merged: Vec<_> = merged.iter().map(|row| (row.key["id"].clone(), row.operation)).collect();
    assert_eq!(merged, [(json!(2), Operation::Update), (json!(3), Operation::Insert)]);
}

#[tokio::test]
async fn what_foreign_keys_do_is_noticed_over_any_number_of_tables() {
    let fixture = Fixture::new().await;
    let outbox = fixture.outbox().await;
    let book = format!("{}.book", fixture.other);
    fixture.run("INSERT INTO shelf VALUES (1), (2)").await;
    fixture.run("INSERT INTO box VALUES (10, 1), (11, 2)").await;
    fixture.run("INSERT INTO token VALUES (X'01', 7, 10), (X'02', 7, 11)").await;
    fixture.run(&format!("INSERT INTO {book} (id) VALUES (1), (2)")).await;
    fixture.run("INSERT INTO seal VALUES (1, 2), (2, 2)").await;
    assert_eq!(next(&outbox).await.len(), 6);
    // Two tables away, through one that nobody watches.
    fixture.run("DELETE FROM shelf WHERE id = 1").await;
    let gone = next(&outbox).await;
    let token = json!({"id": "01000000-0000-0000-0000-000000000000"});
    assert_eq!(summary(&gone), [entry("token", Operation::Delete, token)]);
    assert_eq!(gone[0].old.as_ref().unwrap()["line"], 7);
    fixture.run("UPDATE box SET id = 12 WHERE id = 11").await;
    let token = json!({"id": "02000000-0000-0000-0000-000000000000"});
    assert_eq!(summary(&next(&outbox).await), [entry("token", Operation::Update, token)]);
    // The key of the other row is the foreign key.
    fixture.run(&format!("UPDATE {book} SET id = 9 WHERE id = 1")).await;
    let moved = summary(&next(&outbox).await);
    let seal = |operation, book: i64| entry("seal", operation, json!({"book": book}));
    for expected in [
        seal(Operation::Delete, 1),
        seal(Operation::Insert, 9),
        fixture.book(Operation::Delete, 1),
        fixture.book(Operation::Insert, 9),
    ] {
        assert!(moved.contains(&expected), "{expected:?} in {moved:?}");
    }
    assert_eq!(moved.len(), 4);
    fixture.run(&format!("DELETE FROM {book} WHERE id = 9")).await;
    let gone = summary(&next(&outbox).await);
    assert!(gone.contains(&seal(Operation::Delete, 9)) && gone.len() == 2, "{gone:?}");
    fixture.run("DELETE FROM shelf WHERE id = 2").await;
    assert!(summary(&next(&outbox).await).contains(&seal(Operation::Update, 2)));
}

#[tokio::test]
async fn a_cascade_that_no_trigger_can_follow_is_refused_by_name() {
    let fixture = Fixture::new().await;
    fixture
        .run("CREATE TABLE reply (id int PRIMARY KEY, parent int, CONSTRAINT answers FOREIGN KEY (parent) REFERENCES reply (id) ON DELETE CASCADE)")
        .await;
    let id = columns(&[("id", ColumnKind::Plain)]);
    let error = Outbox::install(&fixture.db, &[Table::new("reply", id.clone(), id)]).await.unwrap_err();
    assert!(
        matches!(&error, Error::Cascade { table, constraint, .. } if table == "reply" && constraint == "answers")
    );
}

#[tokio::test]
async fn what_is_rolled_back_never_existed() {
    let fixture = Fixture::new().await;
    let outbox = fixture.outbox().await;
    let outer = fixture.db.begin().await.unwrap();
    outer.execute_unprepared("INSERT INTO line VALUES ('x', 1)").await.unwrap();
    let inner = outer.begin().await.unwrap();
    inner.execute_unprepared("INSERT INTO line VALUES ('x', 2)").await.unwrap();
    inner.rollback().await.unwrap();
    outer.commit().await.unwrap();
    fixture.shell("BEGIN; INSERT INTO line VALUES ('x', 3); ROLLBACK;");
    fixture.shell("BEGIN; INSERT INTO line VALUES ('x', 4); SAVEPOINT s; INSERT INTO line VALUES ('x', 5); ROLLBACK TO s; COMMIT;");
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.extend(next(&outbox).await.iter().map(|change| change.key["number"].clone()));
    }
    assert_eq!(seen, [json!(1), json!(4)]);
}

#[tokio::test]
async fn a_transaction_that_stays_open_holds_nobody_back_and_is_not_skipped_when_it_commits_late() {
    let fixture = Fixture::new().await;
    let outbox = fixture.outbox().await;
    let late = fixture.db.begin().await.unwrap();
    late.execute_unprepared("INSERT INTO line VALUES ('x', 1)").await.unwrap();
    let line = |number: i64| entry("line", Operation::Insert, json!({"order": "x", "number": number}));
    for number in 2..=20 {
        fixture.run(&format!("INSERT INTO line VALUES ('x', {number})")).await;
        assert_eq!(summary(&next(&outbox).await), [line(number)]);
    }
    late.commit().await.unwrap();
    assert_eq!(summary(&next(&outbox).await), [line(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_under_many_writers_and_each_row_is_in_order() {
    let fixture = Fixture::new().await;
    let outbox = fixture.outbox().await;
    let book = format!("{}.book", fixture.other);
    fixture.run(&format!("INSERT INTO {book} (id) SELECT seq FROM seq_1_to_20")).await;
    assert_eq!(next(&outbox).await.len(), 20);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let (db, book) = (fixture.db.clone(), book.clone());
        writers.spawn(async move {
            for number in 0..100 {
                let id = (writer * 7 + number) % 20 + 1;
                let sql = format!("UPDATE {book} SET weight = coalesce(weight, 0) + 1 WHERE id = {id}");
                db.execute_unprepared(&sql).await.unwrap();
            }
        });
    }
    let (mut seen, mut last) = (0, std::collections::HashMap::new());
    while seen < 400 {
        for change in next(&outbox).await {
            let weight = change.old.as_ref().unwrap()["weight"].as_f64().unwrap_or(0.0);
            let before = last.insert(change.key["id"].to_string(), weight);
            assert!((before.unwrap_or(-1.0) + 1.0 - weight).abs() < 0.1, "{before:?} then {weight}");
            seen += 1;
        }
    }
    writers.join_all().await;
    assert_eq!((seen, outbox.status().await.unwrap().waiting), (400, 0));
}

#[tokio::test]
async fn installing_again_changes_nothing_and_a_table_that_is_no_longer_listed_loses_its_triggers() {
    let fixture = Fixture::new().await;
    let tables = fixture.tables();
    let missing = Outbox::check(&fixture.db, &tables).await.unwrap_err();
    assert!(matches!(missing, Error::NotInstalled(_)), "{missing}");
    let script = Outbox::plan(&fixture.db, &tables).await.unwrap();
    fixture.shell(&format!(
        "DELIMITER $$\n{}",
        script.iter().map(|one| format!("{one}$$\n")).collect::<String>()
    ));
    let first = Outbox::check(&fixture.db, &tables).await.unwrap();
    assert!(Outbox::plan(&fixture.db, &tables).await.unwrap().is_empty());
    let again = Outbox::install(&fixture.db, &tables[1..2]).await.unwrap();
    assert_eq!(first.instance(), again.instance());
    let count = format!(
        "SELECT group_concat(DISTINCT event_object_table), count(*) FROM information_schema.triggers \
         WHERE trigger_schema IN (database(), '{}')",
        fixture.other
    );
    assert_eq!(fixture.shell(&count), "line\t3");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_may_install_at_once() {
    let fixture = Fixture::new().await;
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (url, tables) = (fixture.url.clone(), fixture.tables());
        starts.spawn(async move {
            let db = Database::connect(&url).await.unwrap();
            Outbox::install(&db, &tables).await.unwrap().instance().to_owned()
        });
    }
    let mut instances = starts.join_all().await;
    instances.dedup();
    assert_eq!(instances.len(), 1);
}

#[tokio::test]
async fn one_relay_leads_until_it_resigns_or_its_connection_ends() {
    let fixture = Fixture::new().await;
    let one = fixture.outbox().await;
    let two = Outbox::install(&fixture.db, &fixture.tables()).await.unwrap();
    assert!(!two.lead().await.unwrap() && one.lead().await.unwrap());
    one.resign().await.unwrap();
    assert!(two.lead().await.unwrap() && !one.lead().await.unwrap());
    drop(two);
    while !one.lead().await.unwrap() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_watched_is_named() {
    let fixture = Fixture::new().await;
    let id = columns(&[("id", ColumnKind::Plain)]);
    let missing = Outbox::install(&fixture.db, &[Table::new("nowhere", id.clone(), id.clone())]).await;
    let missing = missing.unwrap_err().to_string();
    assert!(missing.contains("\"nowhere\" does not exist"), "{missing}");
    let column = columns(&[("isbn", ColumnKind::Plain)]);
    let missing = Outbox::install(&fixture.db, &[Table::new("token", column.clone(), column)]).await;
    let missing = missing.unwrap_err().to_string();
    assert!(missing.contains("\"token\" has no column \"isbn\""), "{missing}");
}

#[tokio::test]
async fn what_was_set_aside_can_be_looked_at_tried_again_and_dropped() {
    let fixture = Fixture::new().await;
    let outbox = fixture.outbox().await;
    fixture.run("INSERT INTO line VALUES ('x', 1), ('x', 2), ('x', 3)").await;
    let changes = outbox.batch(10).await.unwrap();
    for change in &changes {
        outbox.set_aside(change.seq, "it's broken").await.unwrap();
    }
    let mended = Outbox::open(&fixture.url).await.unwrap();
    let status = mended.status().await.unwrap();
    assert_eq!((status.waiting, status.set_aside), (0, 3));
    let aside = mended.list_set_aside(2).await.unwrap();
    assert_eq!((aside.len(), aside[0].reason.as_str()), (2, "it's broken"));
    assert_eq!(mended.retry(Some(&[changes[1].seq])).await.unwrap(), 1);
    assert_eq!(outbox.batch(10).await.unwrap(), changes[1..2]);
    assert_eq!(mended.drop_set_aside(Some(&[changes[0].seq, 4711])).await.unwrap(), 1);
    assert_eq!(mended.retry(None).await.unwrap(), 1);
    assert_eq!(outbox.batch(10).await.unwrap(), changes[1..]);
}
