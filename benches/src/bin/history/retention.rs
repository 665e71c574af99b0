//! Dropping the oldest half while somebody publishes.

use std::path::Path;
use std::time::{Duration, Instant};

use petasos_hub::transport::Transport;
use petasos_hub::transport::file::{File, Retention};
use tokio::runtime::Runtime;

use crate::events::{event, record_bytes};
use crate::numbers::{Show, Times};
use crate::{Row, floor, scale};

/// Opens the history with half the limit, and publishes until what is too much has gone.
pub(crate) fn measure(runtime: &Runtime, folder: &Path, events: u64) -> anyhow::Result<Vec<Row>> {
    let before = size(folder)?;
    let limits = Retention { max_events: Some(events / 2), ..Retention::UNLIMITED };
    let file = scale::config(folder).retention(limits).open()?;
    let begin = Instant::now();
    let (mut times, took) = runtime.block_on(async {
        let tidy = async {
            file.tidy().await?;
            anyhow::Ok(begin.elapsed())
        };
        let publishing = publish_until(&file, events * 4, tidy);
        publishing.await
    })?;
    let after = size(folder)?;
    let mut bare = floor::run(record_bytes(&*event(1)?), took.max(Duration::from_secs(1)))?;
    runtime.block_on(file.close());
    Ok(vec![
        Row {
            what: "dropping the oldest half".to_owned(),
            measured: format!("{}; {} MiB, then {} MiB", Show(took), before >> 20, after >> 20),
            floor: String::new(),
            target: "2 s",
        },
        Row {
            what: format!("the longest of {} publishes meanwhile", times.count()),
            measured: format!("{} (p50 {})", Show(times.max()), Show(times.median())),
            floor: format!("{} (p50 {}) of {}", Show(bare.max()), Show(bare.median()), bare.count()),
            target: "10 ms more",
        },
    ])
}

async fn publish_until(
    file: &File,
    first: u64,
    end: impl Future<Output = anyhow::Result<Duration>>,
) -> anyhow::Result<(Times, Duration)> {
    let (mut times, mut end) = (Times::default(), std::pin::pin!(end));
    for number in first.. {
        let start = Instant::now();
        let append = file.append(event(number)?);
        tokio::pin!(append);
        tokio::select! {
            biased;
            stored = &mut append => { stored?; }
            took = &mut end => {
                append.await?;
                times.push(start.elapsed());
                return Ok((times, took?));
            }
        }
        times.push(start.elapsed());
    }
    anyhow::bail!("the numbers ended")
}

fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
