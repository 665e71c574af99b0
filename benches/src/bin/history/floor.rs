//! The bare loop: one record, one write, one flush.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use crate::Folder;
use crate::numbers::Times;

/// Appends records of this size for a while, each flushed before the next; returns how long each took.
pub(crate) fn run(bytes: usize, time: Duration) -> anyhow::Result<Times> {
    let folder = Folder::new("floor")?;
    let file = File::create(folder.path().join("log"))?;
    let record = vec![b'x'; bytes];
    let (mut times, mut offset, begin) = (Times::default(), 0, Instant::now());
    while begin.elapsed() < time {
        let start = Instant::now();
        file.write_all_at(&record, offset)?;
        file.sync_data()?;
        times.push(start.elapsed());
        offset += bytes as u64;
    }
    Ok(times)
}
