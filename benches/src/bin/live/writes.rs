//! Write requests per second, live or not, in turns.

use std::time::{Duration, Instant};

use super::Row;
use super::http::Client;
use super::shop::{Shop, WRITERS};

pub(crate) fn measure(shop: &Shop) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for writers in [1, WRITERS] {
        let (mut on, mut off) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            off.push(round(shop, "quiets", writers)?);
            on.push(round(shop, "books", writers)?);
            shop.settle()?;
        }
        on.sort_by(f64::total_cmp);
        off.sort_by(f64::total_cmp);
        let (on, off) = (on[ROUNDS / 2], off[ROUNDS / 2]);
        rows.push(Row {
            what: format!("PATCH a second, {writers} writers, live / not live"),
            measured: format!("{on:.0} / {off:.0} = {:.2}", on / off),
            target: ">= 0.8",
        });
    }
    Ok(rows)
}

fn round(shop: &Shop, resource: &str, writers: usize) -> anyhow::Result<f64> {
    let end = Instant::now() + ROUND;
    let counts: Vec<anyhow::Result<u32>> = std::thread::scope(|scope| {
        let writer = |id: usize| move || write(&shop.address, &format!("/{resource}/{id}"), end);
        let handles: Vec<_> = (1..=writers).map(|id| scope.spawn(writer(id))).collect();
        let join = |handle: std::thread::ScopedJoinHandle<'_, _>| {
            handle.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a writer panicked")))
        };
        handles.into_iter().map(join).collect()
    });
    let total: u32 = counts.into_iter().sum::<anyhow::Result<u32>>()?;
    Ok(f64::from(total) / ROUND.as_secs_f64())
}

fn write(address: &str, path: &str, end: Instant) -> anyhow::Result<u32> {
    let mut client = Client::connect(address)?;
    let mut count = 0;
    while Instant::now() < end {
        client.patch(path, &count.to_string())?;
        count += 1;
    }
    Ok(count)
}

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);
