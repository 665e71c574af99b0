//! A hundred thousand rows in one statement: how fast they are relayed, in how much memory, and whether the API answers meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;

use super::http::Client;
use super::shop::Shop;
use super::{Row, percentile};

pub(crate) fn measure(shop: &Shop) -> anyhow::Result<Vec<Row>> {
    let before = memory("VmRSS")?;
    let done = AtomicBool::new(false);
    let (took, answers) = thread::scope(|scope| {
        let reader = scope.spawn(|| read(shop, &done));
        let took = relay(shop);
        done.store(true, Ordering::Relaxed);
        let answers = reader.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the reader panicked")));
        anyhow::Ok((took?, answers?))
    })?;
    let after = memory("VmHWM")?;
    Ok(vec![
        Row {
            what: format!("rows relayed a second, of {ROWS} in one statement"),
            measured: format!("{:.0}", f64::from(ROWS) / took.as_secs_f64()),
            target: ">= 20 000",
        },
        Row {
            what: "memory that the relay of these takes at most, the hub's history included".to_owned(),
            measured: format!("{} MB", after.saturating_sub(before) / 1024),
            target: "bounded",
        },
        Row {
            what: "GET of a row meanwhile, p50 / p99".to_owned(),
            measured: format!("{:.1} / {:.1} ms", percentile(&answers, 50), percentile(&answers, 99)),
            target: "responsive",
        },
    ])
}

/// From the commit until nothing waits any more.
fn relay(shop: &Shop) -> anyhow::Result<Duration> {
    let numbers =
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)";
    let insert = "INSERT INTO book (title, author, price) SELECT 'a title', 'an author of usual length', n FROM numbers";
    let sql = if shop.other.get_database_backend() == sea_orm::DbBackend::Sqlite {
        format!("{numbers} {insert}")
    } else {
        insert.replace("FROM numbers", "FROM generate_series(1, 100000) AS n")
    };
    shop.runtime.block_on(shop.other.execute_unprepared(&sql))?;
    let start = Instant::now();
    shop.settle()?;
    Ok(start.elapsed())
}

fn read(shop: &Shop, done: &AtomicBool) -> anyhow::Result<Vec<f64>> {
    let mut client = Client::connect(&shop.address)?;
    let mut times = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let start = Instant::now();
        client.get("/books/1")?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        thread::sleep(Duration::from_millis(10));
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Kilobytes.
fn memory(name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(line.unwrap_or("0").trim().trim_end_matches(" kB").parse()?)
}

const ROWS: u32 = 100_000;
