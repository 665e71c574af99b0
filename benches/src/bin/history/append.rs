//! Durable publishing at the transport alone: publishers that each wait for their update before they make the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use petasos_hub::transport::Transport;
use petasos_hub::transport::file::{FileConfig, Retention};

use crate::events::{event, record_bytes};
use crate::numbers::{Show, Times, median, rate};
use crate::{Folder, Row, floor};

/// All numbers of publishers, each beside the floor.
pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let cases = [(1, ""), (16, ""), (64, "12 times"), (256, "30 times")];
    let mut rows = Vec::new();
    for (publishers, target) in cases {
        rows.extend(beside_floor(publishers, target)?);
    }
    Ok(rows)
}

/// Both in turn, so that whatever else the disk does meets both.
fn beside_floor(publishers: usize, target: &'static str) -> anyhow::Result<Vec<Row>> {
    let bytes = record_bytes(&*event(1)?);
    let (mut rates, mut floors, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut times, mut floor_times, mut latency) = (Times::default(), Times::default(), Vec::new());
    for _ in 0..ROUNDS {
        let mut bare = floor::run(bytes, ROUND)?;
        let (mut own, took) = publish(publishers, ROUND)?;
        rates.push(rate(own.count(), took));
        floors.push(rate(bare.count(), ROUND));
        ratios.push(rate(own.count(), took) / rate(bare.count(), ROUND));
        latency.push(own.median().as_secs_f64() / bare.median().as_secs_f64());
        times.append(own);
        floor_times.append(bare);
    }
    let mut rows = vec![Row {
        what: format!("transport alone, {publishers} publishers"),
        measured: format!("{:.0}/s, {:.1} times the floor", median(rates), median(ratios)),
        floor: format!("{:.0}/s", median(floors)),
        target,
    }];
    rows.push(Row {
        what: format!("its acknowledgement, {publishers} publishers"),
        measured: format!(
            "p50 {}, p99 {}; p50 {:.2} times the floor's",
            Show(times.median()),
            Show(times.percentile(0.99)),
            median(latency)
        ),
        floor: format!("p50 {}, p99 {}", Show(floor_times.median()), Show(floor_times.percentile(0.99))),
        target: if publishers == 1 { "1.3 times" } else { "" },
    });
    Ok(rows)
}

/// Publishes for a while; how long each waited, and how long all of it took.
fn publish(publishers: usize, time: Duration) -> anyhow::Result<(Times, Duration)> {
    let folder = Folder::new("append")?;
    let file = FileConfig::new(folder.path()).retention(Retention::UNLIMITED).open()?;
    let (file, numbers) = (Arc::new(file), Arc::new(AtomicU64::new(0)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let begin = Instant::now();
    let tasks: Vec<_> = (0..publishers)
        .map(|_| {
            let (file, numbers) = (Arc::clone(&file), Arc::clone(&numbers));
            runtime.spawn(async move {
                let mut times = Times::default();
                while begin.elapsed() < time {
                    let event = event(numbers.fetch_add(1, Ordering::Relaxed))?;
                    let start = Instant::now();
                    file.append(event).await?;
                    times.push(start.elapsed());
                }
                anyhow::Ok(times)
            })
        })
        .collect();
    let mut all = Times::default();
    for task in tasks {
        all.append(runtime.block_on(task)??);
    }
    let took = begin.elapsed();
    runtime.block_on(file.close());
    Ok((all, took))
}

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);
