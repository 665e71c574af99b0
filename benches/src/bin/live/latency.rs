//! From the moment at which the writer knows that its change is committed to the moment at which a subscriber has the event.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use petasos_testkit::Stream;
use sea_orm::ConnectionTrait;

use super::http::Client;
use super::shop::Shop;
use super::{Row, percentile};

pub(crate) fn measure(shop: &Shop) -> anyhow::Result<Vec<Row>> {
    let is_sqlite = shop.other.get_database_backend() == sea_orm::DbBackend::Sqlite;
    let mut client = Client::connect(&shop.address)?;
    let api = run(shop, &mut |number| client.patch("/books/1", &number.to_string()))?;
    let other = run(shop, &mut |number| {
        let sql = format!("UPDATE book SET title = '{number}' WHERE id = 1");
        shop.runtime.block_on(shop.other.execute_unprepared(&sql))?;
        Ok(())
    })?;
    Ok(vec![
        row("the API", &api, "1.5 / 6 ms"),
        row("another program", &other, if is_sqlite { "3 / 15 ms" } else { "1.5 / 6 ms" }),
    ])
}

fn row(who: &str, sorted: &[f64], target: &'static str) -> Row {
    Row {
        what: format!("commit by {who} to event at {RATE} changes a second, p50 / p99"),
        measured: format!("{:.2} / {:.2} ms", percentile(sorted, 50), percentile(sorted, 99)),
        target,
    }
}

/// Milliseconds, sorted. Changes that were merged with a later one count with its event.
fn run(shop: &Shop, change: &mut dyn FnMut(u32) -> anyhow::Result<()>) -> anyhow::Result<Vec<f64>> {
    let arrivals = subscribe(shop)?;
    let start = Instant::now();
    let mut commits = Vec::new();
    for number in 0..COUNT {
        let due = start + Duration::from_secs(1) * number / RATE;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        change(number)?;
        commits.push(Instant::now());
    }
    let mut times = Vec::new();
    while times.len() < commits.len() {
        let (number, at) = arrivals.recv_timeout(Duration::from_secs(30)).context("an event is missing")?;
        while times.len() <= usize::try_from(number)?.min(commits.len() - 1) {
            let since = at.saturating_duration_since(commits[times.len()]);
            times.push(since.as_secs_f64() * 1000.0);
        }
    }
    times.sort_by(f64::total_cmp);
    shop.settle()?;
    Ok(times)
}

/// The number of each event, and when it came.
fn subscribe(shop: &Shop) -> anyhow::Result<Receiver<(u32, Instant)>> {
    let url = format!("http://{0}/.well-known/mercure?match=http://{0}/books/1", shop.address);
    let mut stream = Stream::open(&url, &[])?;
    let (sender, receiver) = channel();
    thread::spawn(move || {
        while let Ok(event) = stream.next_event() {
            let at = Instant::now();
            let title = event.data.split("\"title\":\"").nth(1).and_then(|rest| rest.split('"').next());
            let Some(number) = title.and_then(|title| title.parse().ok()) else { return };
            if sender.send((number, at)).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

const RATE: u32 = 500;
const COUNT: u32 = 4 * RATE;
