//! A hundred thousand rows in one statement: all of them are published, in bounded memory, while the API answers.

use std::collections::HashSet;
use std::time::Instant;

use petasos_testkit::{MariaDb, PATIENCE, Postgres, Stream, http};
use petasos_tests::Bookshop;

use crate::databases::document;

const ROWS: usize = 100_000;

/// A value of `/metrics`.
fn metric(url: &str, name: &str) -> f64 {
    let text = http::get(url).unwrap().body;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap().parse().unwrap()
}

/// Megabytes that the process has had at most.
fn memory(shop: &Bookshop) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", shop.process.id())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    most.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

fn a_hundred_thousand_rows_in_one_statement_are_all_published(url: &str, numbers: &str) {
    let variables = [("DATABASE_URL", url), ("PETASOS_ADMIN_LISTEN", "127.0.0.1:0")];
    let mut shop = Bookshop::open(&variables).unwrap();
    let metrics = shop.process.url("metrics").unwrap();
    let before = memory(&shop);
    shop.sql(&numbers.replace(
        "NUMBERS",
        "INSERT INTO book (id, title, author) SELECT n, 'one of many', 'somebody of usual length' FROM",
    ))
    .unwrap();
    let (mut deepest, mut oldest, mut shown) = (0.0, 0.0, 0);
    let mut progress = (f64::INFINITY, Instant::now());
    loop {
        let depth = metric(&metrics, "petasos_outbox_depth");
        if depth == 0.0 {
            break;
        }
        deepest = depth.max(deepest);
        oldest = metric(&metrics, "petasos_outbox_age_seconds").max(oldest);
        assert_eq!(http::get(&format!("{}/books/1", shop.url)).unwrap().head.status, 200);
        shown += 1;
        if depth < progress.0 {
            progress = (depth, Instant::now());
        }
        assert!(progress.1.elapsed() < PATIENCE, "{depth} changes wait and do not become fewer");
    }
    assert!(deepest > 10_000.0 && oldest > 0.0 && shown > 0, "{deepest} {oldest} {shown}");
    // A row takes about 400 bytes in the outbox and 300 in the history: all of them together would not fit.
    let grown = memory(&shop) - before;
    assert!(grown < 60, "the shop has taken {grown} megabytes more");
    let all = format!("{}?match_urlpattern={}/books/:id&last_event_id=earliest", shop.hub, shop.url);
    let mut stream = Stream::open(&all, &[]).unwrap();
    let mut seen = HashSet::new();
    while seen.len() < ROWS {
        let event = document(&mut stream);
        assert_eq!(event["title"], "one of many");
        seen.insert(event["id"].as_u64().unwrap());
    }
    assert!((1000..101_000).all(|id| seen.contains(&id)));
}

#[test]
fn on_sqlite_a_hundred_thousand_rows_in_one_statement_are_all_published() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display());
    let numbers = "WITH RECURSIVE numbers (n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100999) NUMBERS numbers";
    a_hundred_thousand_rows_in_one_statement_are_all_published(&url, numbers);
}

#[test]
fn on_postgresql_a_hundred_thousand_rows_in_one_statement_are_all_published() {
    let url = Postgres::shared().database().unwrap();
    a_hundred_thousand_rows_in_one_statement_are_all_published(
        &url,
        "NUMBERS generate_series(1000, 100999) AS n",
    );
}

#[test]
fn on_mariadb_a_hundred_thousand_rows_in_one_statement_are_all_published() {
    let url = MariaDb::shared().database().unwrap();
    let numbers = "NUMBERS (SELECT seq AS n FROM seq_1000_to_100999) AS numbers";
    a_hundred_thousand_rows_in_one_statement_are_all_published(&url, numbers);
}
