//! `petasos outbox`: what an operator does about changes that cannot be published.

use std::time::Instant;

use petasos_testkit::{MariaDb, PATIENCE, Postgres, Process};
use petasos_tests::Bookshop;
use serde_json::json;

use crate::databases::title;

/// Runs the command; all that it says.
fn outbox(url: &str, args: &[&str]) -> String {
    let args = [&["outbox"], args].concat();
    let folder = std::env::temp_dir();
    let mut process = Process::start("petasos", &args, &[("DATABASE_URL", url)], &folder).unwrap();
    let mut said = String::new();
    while let Ok(line) = process.line("") {
        said.push_str(&line);
        said.push('\n');
    }
    assert_eq!(process.wait().unwrap(), (Some(0), String::new()), "{said}");
    said
}

/// The number of the only change that is set aside, once there is one.
fn set_aside(url: &str) -> String {
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < PATIENCE, "nothing was set aside");
        let said = outbox(url, &["status"]);
        if said.starts_with("waiting    0\nset aside  1\n") {
            assert!(said.contains("insert of book garbage\n    the row cannot be read"), "{said}");
            return said.lines().nth(3).unwrap().split(' ').next().unwrap().to_owned();
        }
    }
}

fn what_was_set_aside_is_shown_put_back_and_dropped(url: &str, key: &str) {
    let shop = Bookshop::open(&[("DATABASE_URL", url)]).unwrap();
    let mut stream = shop.books().unwrap();
    let garbage = format!(
        "INSERT INTO petasos_outbox (tbl, operation, {key}, at_ms) VALUES ('book', 'insert', 'garbage', 0)"
    );
    petasos_testkit::sql(url, &garbage).unwrap();
    petasos_testkit::sql(url, "UPDATE book SET title = 'not held back' WHERE id = 1").unwrap();
    assert_eq!(title(&mut stream), ("/books/1".to_owned(), json!("not held back")));
    let number = set_aside(url);
    assert_eq!(outbox(url, &["retry", &number]), "1 change put back\n");
    let number = set_aside(url);
    assert_eq!(outbox(url, &["drop", "4711"]), "0 changes dropped\n");
    assert_eq!(outbox(url, &["drop", &number]), "1 change dropped\n");
    assert_eq!(outbox(url, &["retry", "--all"]), "0 changes put back\n");
    assert_eq!(outbox(url, &["status"]), "waiting    0\nset aside  0\n");
}

#[test]
fn on_sqlite_what_was_set_aside_is_shown_put_back_and_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display());
    what_was_set_aside_is_shown_put_back_and_dropped(&url, "key");
}

#[test]
fn on_postgresql_what_was_set_aside_is_shown_put_back_and_dropped() {
    what_was_set_aside_is_shown_put_back_and_dropped(&Postgres::shared().database().unwrap(), "key");
}

#[test]
fn on_mariadb_what_was_set_aside_is_shown_put_back_and_dropped() {
    what_was_set_aside_is_shown_put_back_and_dropped(&MariaDb::shared().database().unwrap(), "`key`");
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    for (args, expected) in [
        (&["outbox", "status"][..], "--database (DATABASE_URL)"),
        (
            &["outbox", "status", "--database", "sqlite:///proc/nowhere.db"],
            "--database (DATABASE_URL) cannot be used",
        ),
    ] {
        let mut process = Process::start("petasos", args, &[], &std::env::temp_dir()).unwrap();
        let (code, said) = process.wait().unwrap();
        assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}
