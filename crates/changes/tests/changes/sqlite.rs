//! The outbox on real SQLite files, written by this process and by the `sqlite3` program.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use petasos_changes::{Change, Column, ColumnKind, Operation, Outbox, Table, merge};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, TransactionTrait};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Fixture {
    db: DatabaseConnection,
    file: PathBuf,
    _folder: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.db");
        let db = Database::connect(format!("sqlite://{}?mode=rwc", file.display())).await.unwrap();
        for statement in [
            "PRAGMA journal_mode = WAL",
            "CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT, cover BLOB, owners TEXT, price REAL)",
            "CREATE TABLE \"odd \"\"name\" (a TEXT, b INTEGER, PRIMARY KEY (a, b))",
            "CREATE TABLE review (id INTEGER PRIMARY KEY, book INTEGER REFERENCES book ON DELETE CASCADE)",
        ] {
            db.execute_unprepared(statement).await.unwrap();
        }
        Self { db, file, _folder: folder }
    }

    async fn outbox(&self) -> Outbox {
        Outbox::install(&self.db, &tables()).await.unwrap()
    }

    async fn run(&self, sql: &str) {
        self.db.execute_unprepared(sql).await.unwrap();
    }

    /// Runs the `sqlite3` program on the file.
    fn shell(&self, sql: &str) {
        let output =
            Command::new("sqlite3").arg("-cmd").arg(".timeout 5000").arg(&self.file).arg(sql).output();
        let output = output.expect("the sqlite3 program is needed: `cargo xtask test` installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn plain(name: &str) -> Column {
    Column::new(name, ColumnKind::Plain)
}

fn tables() -> Vec<Table> {
    let book = vec![
        plain("id"),
        plain("title"),
        plain("cover"),
        Column::new("owners", ColumnKind::Json),
        plain("price"),
    ];
    let odd = vec![plain("a"), plain("b")];
    vec![
        Table::new("book", vec![plain("id")], book),
        Table::new("odd \"name", odd.clone(), odd),
        Table::new("review", vec![plain("id")], vec![plain("id"), plain("book")]),
    ]
}

async fn next(outbox: &Outbox) -> Vec<Change> {
    tokio::time::timeout(Duration::from_secs(20), outbox.wait())
        .await
        .expect("no change was noticed")
        .unwrap();
    let changes = outbox.batch(1000).await.unwrap();
    outbox.acknowledge(&changes.iter().map(|change| change.seq).collect::<Vec<_>>()).await.unwrap();
    changes
}

fn summary(changes: &[Change]) -> Vec<(&str, Operation, Value)> {
    changes
        .iter()
        .map(|change| (change.table.as_str(), change.operation, Value::Object(change.key.clone())))
        .collect()
}

#[tokio::test]
async fn each_operation_is_noticed_with_key_and_old_row() {
    let fixture = Fixture::new().await;
    let outbox = fixture.outbox().await;
    fixture.run("INSERT INTO book VALUES (1, 'Dune', x'00ff', '[\"ann\",\"bob\"]', 1.5)").await;
    fixture.run("UPDATE book SET title = 'x' WHERE id = 1").await;
    fixture.run("DELETE FROM book").await;
    let changes = next(&outbox).await;
    let key = json!({"id": 1});
    let expected = [
        ("book", Operation::Insert, key.clone()),
        ("book", Operation::Update, key.clone()),
        ("book", Operation::Delete, key),
    ];
    assert_eq!(summary(&changes), expected);
    assert_eq!(changes[0].old, None);
    let old = json!({"id": 1, "title": "Dune", "cover": "00FF", "owners": ["ann", "bob"], "price": 1.5});
    assert_eq!(Value::Object(changes[1].old.clone().unwrap()), old);
    assert_eq!(changes[2].old.as_ref().unwrap()["title"], "x");
    assert_eq!(outbox.status().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn another_program_is_noticed_and_what_it_writes_never_fails_for_our_sake() {
    let fixture = Fixture::new().await;
    let outbox = fixture.outbox().await.with_poll(Duration::from_secs(3600));
    fixture.shell("INSERT INTO book (id, title, owners) VALUES (9007199254740993, x'c328', 'not json')");
    let changes = next(&outbox).await;
    assert_eq!(summary(&changes), [("book", Operation::Insert, json!({"id": 9_007_199_254_740_993_i64}))]);
    fixture.shell("UPDATE book SET owners = x'00'; UPDATE book SET owners = NULL; DELETE FROM book");
    let changes = next(&outbox).await;
    let owners: Vec<Value> =
        changes.iter().map(|change| change.old.as_ref().unwrap()["owners"].clone()).collect();
    assert_eq!(owners, [json!("not json"), json!("00"), json!(null)]);
    assert_eq!(changes[0].old.as_ref().unwrap()["title"], "C328");
}

#[tokio::test]
async fn what_is_rolled_back_never_existed() {
    let fixture = Fixture::new().await;
    let outbox = fixture.outbox().await;
    let transaction = fixture.db.begin().await.unwrap();
    transaction.execute_unprepared("INSERT INTO book (id) VALUES (1)").await.unwrap();
    transaction.rollback().await.unwrap();
    fixture.shell("BEGIN; INSERT INTO book (id) VALUES (2); ROLLBACK");
    fixture.shell("BEGIN; INSERT INTO book (id) VALUES (3); SAVEPOINT s; INSERT INTO book (id) VALUES (4); ROLLBACK TO s; COMMIT");
    assert_eq!(summary(&next(&outbox).await), [("book", Operation::Insert, json!({"id": 3}))]);
}

#[tokio::test]
async fn bulk_statements_upserts_cascades_and_moved_keys_are_noticed_row_by_row() {
    let fixture = Fixture::new().await;
    let outbox = fixture.outbox().await;
    fixture.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO book (id) SELECT i FROM n").await;
    assert_eq!(next(&outbox).await.len(), 500);
    fixture.run("DELETE FROM book WHERE id > 2").await;
    assert_eq!(next(&outbox).await.len(), 498);
    fixture.run("INSERT INTO review VALUES (7, 1)").await;
    fixture.run("REPLACE INTO book (id, title) VALUES (2, 'new')").await;
    fixture.run("INSERT INTO book (id) VALUES (2) ON CONFLICT DO UPDATE SET title = 'newer'").await;
    fixture.run("DELETE FROM book WHERE id = 1").await;
    let changes = next(&outbox).await;
    let gone: Vec<_> =
        summary(&changes).into_iter().filter(|(_, operation, _)| *operation == Operation::Delete).collect();
    assert!(gone.contains(&("review", Operation::Delete, json!({"id": 7}))), "{gone:?}");
    fixture.run("INSERT INTO \"odd \"\"name\" VALUES ('x', 1)").await;
    fixture.run("UPDATE \"odd \"\"name\" SET b = 2").await;
    let merged = merge(next(&outbox).await);
    let merged: Vec<_> = merged.iter().map(|row| (row.operation, Value::Object(row.key.clone()))).collect();
    assert_eq!(
        merged,
        [(Operation::Delete, json!({"a": "x", "b": 1})), (Operation::Insert, json!({"a": "x", "b": 2}))]
    );
}

#[tokio::test]
async fn nothing_leaves_before_it_is_acknowledged_and_a_bad_row_can_be_set_aside() {
    let fixture = Fixture::new().await;
    let outbox = fixture.outbox().await;
    fixture.run("INSERT INTO book (id) VALUES (1), (2), (3)").await;
    let first = outbox.batch(2).await.unwrap();
    assert_eq!(outbox.batch(2).await.unwrap(), first);
    outbox.set_aside(first[0].seq, "because").await.unwrap();
    outbox.acknowledge(&[first[1].seq]).await.unwrap();
    drop(outbox);
    let again = fixture.outbox().await;
    let rest = again.batch(10).await.unwrap();
    assert_eq!(summary(&rest), [("book", Operation::Insert, json!({"id": 3}))]);
    fixture
        .run("INSERT INTO petasos_outbox (tbl, operation, key) VALUES ('book', 'insert', 'garbage')")
        .await;
    assert_eq!(again.batch(10).await.unwrap(), rest);
    assert_eq!(again.status().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn installing_again_changes_nothing_and_a_table_that_is_no_longer_listed_is_left_alone() {
    let fixture = Fixture::new().await;
    let first = fixture.outbox().await;
    let second = fixture.outbox().await;
    assert_eq!(first.instance(), second.instance());
    let third = Outbox::install(&fixture.db, &tables()[1..]).await.unwrap();
    fixture.run("INSERT INTO book (id) VALUES (1)").await;
    fixture.run("INSERT INTO review VALUES (1, 1)").await;
    assert_eq!(summary(&next(&third).await), [("review", Operation::Insert, json!({"id": 1}))]);
}

#[tokio::test]
async fn one_relay_leads_until_it_resigns_or_is_gone() {
    let fixture = Fixture::new().await;
    let (one, two) = (fixture.outbox().await, fixture.outbox().await);
    assert!(one.lead().await.unwrap() && one.lead().await.unwrap());
    assert!(!two.lead().await.unwrap());
    one.resign().await.unwrap();
    assert!(two.lead().await.unwrap() && !one.lead().await.unwrap());
    drop(two);
    assert!(one.lead().await.unwrap());
}

#[tokio::test]
async fn an_outbox_of_the_first_version_is_brought_up_to_date_with_what_waits_in_it() {
    let fixture = Fixture::new().await;
    fixture.run("CREATE TABLE petasos_outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, operation TEXT NOT NULL, key TEXT NOT NULL, old TEXT)").await;
    fixture.run("CREATE TABLE petasos_relay (id INTEGER PRIMARY KEY, holder TEXT, until_ms INTEGER)").await;
    fixture
        .run("INSERT INTO petasos_outbox (tbl, operation, key) VALUES ('book', 'insert', '{\"id\":1}')")
        .await;
    let outbox = fixture.outbox().await;
    assert_eq!(summary(&next(&outbox).await), [("book", Operation::Insert, json!({"id": 1}))]);
    assert!(Outbox::plan(&fixture.db, &tables()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_double_keeps_every_digit_and_infinity_harms_nobody() {
    let fixture = Fixture::new().await;
    let outbox = fixture.outbox().await;
    fixture.run("INSERT INTO book (id, price) VALUES (1, 12345678901234.5678), (2, 9e999), (3, 0.1)").await;
    fixture.run("DELETE FROM book").await;
    let changes = next(&outbox).await;
    let prices: Vec<Value> =
        changes[3..].iter().map(|change| change.old.as_ref().unwrap()["price"].clone()).collect();
    assert_eq!(prices, [json!(12_345_678_901_234.568), json!("Inf"), json!(0.1)]);
}

#[tokio::test]
async fn a_wide_table_is_within_the_limits_of_the_sqlite3_program() {
    let fixture = Fixture::new().await;
    let names: Vec<String> = (0..150).map(|number| format!("c{number}")).collect();
    fixture.run(&format!("CREATE TABLE wide (id INTEGER PRIMARY KEY, {})", names.join(", "))).await;
    let columns = names.iter().map(|name| plain(name)).collect();
    let outbox =
        Outbox::install(&fixture.db, &[Table::new("wide", vec![plain("id")], columns)]).await.unwrap();
    fixture.shell("INSERT INTO wide (id, c149) VALUES (1, 'last'); DELETE FROM wide");
    let changes = next(&outbox).await;
    let old = changes[1].old.as_ref().unwrap();
    assert_eq!((old.len(), &old["c149"], &old["c0"]), (150, &json!("last"), &json!(null)));
}
