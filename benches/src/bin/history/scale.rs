//! A history of millions: finding ids, replaying, opening, memory.

use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use petasos_hub::transport::file::{Durability, File, FileConfig, Retention};
use petasos_hub::transport::{Seq, Transport};
use tokio::runtime::Runtime;

use crate::events::{event, id};
use crate::numbers::{Show, Times, rate};
use crate::{Folder, Row, retention};

/// Loads so many events and measures.
pub(crate) fn measure(events: u64) -> anyhow::Result<Vec<Row>> {
    let folder = Folder::new("scale")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut rows = vec![load(&runtime, folder.path(), events)?];
    rows.extend(open(&runtime, folder.path(), events)?);
    rows.push(memory(folder.path(), events)?);
    let file = config(folder.path()).open()?;
    rows.extend(find(&runtime, &file, folder.path(), events)?);
    rows.extend(replay(&runtime, &file, events)?);
    runtime.block_on(file.close());
    rows.extend(retention::measure(&runtime, folder.path(), events)?);
    let millions = format!("{} million: ", events / 1_000_000);
    rows.iter_mut().for_each(|row| row.what.insert_str(0, &millions));
    Ok(rows)
}

pub(crate) fn config(folder: &Path) -> FileConfig {
    FileConfig::new(folder).retention(Retention::UNLIMITED)
}

/// What the disk takes for one page, with nobody in between.
fn cold_page(folder: &Path) -> anyhow::Result<Times> {
    let mut runs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        runs.extend(path.extension().is_some_and(|end| end == "ids").then_some(path));
    }
    let mut pages = Vec::new();
    for path in &runs {
        let file = std::fs::File::open(path)?;
        let count = file.metadata()?.len() / 4096;
        pages.push((file, count));
    }
    let (file, count) = pages.into_iter().max_by_key(|(_, count)| *count).context("there is no run")?;
    let (mut times, mut page) = (Times::default(), [0; 4096]);
    for sample in 0..COLD {
        evict(folder, ".ids")?;
        let start = Instant::now();
        file.read_exact_at(&mut page, sample * 7_919_993 % count * 4096)?;
        times.push(start.elapsed());
    }
    Ok(times)
}

fn row(what: &str, measured: String, target: &'static str) -> Row {
    Row { what: what.to_owned(), measured, floor: String::new(), target }
}

fn load(runtime: &Runtime, folder: &Path, events: u64) -> anyhow::Result<Row> {
    let file = config(folder).durability(Durability::Os).open()?;
    let begin = Instant::now();
    let mut number = 0;
    while number < events {
        // As many as a batch of the writer, so that it never waits for this loop.
        let batch: Vec<_> = (number..events.min(number + 4096)).map(event).collect::<anyhow::Result<_>>()?;
        number += batch.len() as u64;
        let appends: Vec<_> = batch.into_iter().map(|event| file.append(event)).collect();
        runtime.block_on(async {
            for append in appends {
                append.await?;
            }
            anyhow::Ok(())
        })?;
    }
    let took = begin.elapsed();
    runtime.block_on(file.tidy())?;
    let bytes = file.bytes() / events;
    runtime.block_on(file.close());
    let rate = rate(usize::try_from(events)?, took);
    Ok(row("loading without flushes", format!("{rate:.0}/s, {bytes} bytes each with all indexes"), ""))
}

fn open(runtime: &Runtime, folder: &Path, events: u64) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (what, cold) in [("opening, warm", false), ("opening, cold", true)] {
        let mut times = Times::default();
        for _ in 0..3 {
            if cold {
                evict(folder, "")?;
            }
            let start = Instant::now();
            let file = config(folder).open()?;
            // Ready is whoever finds an id.
            let found = runtime.block_on(file.find(&id(events / 2)))?;
            times.push(start.elapsed());
            ensure!(found == Some(Seq(events / 2 + 1)), "an id was not found");
            runtime.block_on(file.close());
        }
        rows.push(row(&format!("{what}, up to the first id found"), Show(times.median()).to_string(), "1 s"));
    }
    Ok(rows)
}

/// Looks at a process that does nothing else.
fn memory(folder: &Path, events: u64) -> anyhow::Result<Row> {
    let own = std::env::current_exe()?;
    let output = Command::new(own).arg("memory").arg(folder).arg(events.to_string()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let measured = String::from_utf8(output.stdout)?.trim().to_owned();
    Ok(row("resident memory, open, after 100000 appends, 10000 look-ups and 10000 reads", measured, "64 MiB"))
}

/// The process that [`memory`] looks at.
pub(crate) fn child(args: &[String]) -> anyhow::Result<()> {
    let (folder, events) = (args.first().context("no folder")?, args.get(1).context("no number")?);
    let events: u64 = events.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let file = config(Path::new(folder)).durability(Durability::Os).open()?;
    runtime.block_on(async {
        for number in 0..10_000 {
            let place = number * (events / 10_000);
            ensure!(file.find(&id(place)).await?.is_some(), "an id was not found");
            black_box(file.read(Seq(place), 16_384).await?);
        }
        for number in 0..100_000 {
            file.append(event(events + number)?).await?;
        }
        Ok(())
    })?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| -> anyhow::Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such field")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
    };
    println!("{} MiB ({} anonymous; at most {})", field("VmRSS:")?, field("RssAnon:")?, field("VmHWM:")?);
    runtime.block_on(file.close());
    Ok(())
}

fn find(runtime: &Runtime, file: &File, folder: &Path, events: u64) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let quarter = events / 4;
    let page = cold_page(folder)?.median();
    for (what, from, below) in [
        ("an id near the start", 0, quarter),
        ("an id near the end", events - quarter, events),
        ("an id that was never there", events * 2, events * 3),
    ] {
        let look = |count: u64, cold: bool| -> anyhow::Result<Times> {
            let mut times = Times::default();
            for sample in 0..count {
                // Spread over the range by a stride that has no factor in common with it.
                let number = from + sample * 7_919_993 % (below - from);
                if cold {
                    evict(folder, ".ids")?;
                }
                let id = id(number);
                let start = Instant::now();
                let found = runtime.block_on(file.find(&id))?;
                times.push(start.elapsed());
                ensure!(found == (number < events).then_some(Seq(number + 1)), "{id} is at {found:?}");
            }
            Ok(times)
        };
        look(20_000, false)?;
        let (mut warm, mut cold) = (look(20_000, false)?, look(COLD, true)?);
        let show =
            |times: &mut Times| format!("p50 {}, p99 {}", Show(times.median()), Show(times.percentile(0.99)));
        rows.push(row(&format!("{what}, warm"), show(&mut warm), "p50 10 us"));
        rows.push(Row {
            floor: format!("one cold page: p50 {}", Show(page)),
            ..row(&format!("{what}, cold"), show(&mut cold), "p50 100 us")
        });
    }
    Ok(rows)
}

fn replay(runtime: &Runtime, file: &File, events: u64) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (what, from) in [("near the start", 100), ("near the end", events - 100_000)] {
        let mut times = Times::default();
        for sample in 0..2_000 {
            let start = Instant::now();
            let read = runtime.block_on(file.read(Seq(from + sample * 37), 16_384))?;
            times.push(start.elapsed());
            ensure!(
                read.first().is_some_and(|stored| stored.seq == Seq(from + sample * 37 + 1)),
                "a wrong read"
            );
        }
        let measured = format!("p50 {}, p99 {}", Show(times.median()), Show(times.percentile(0.99)));
        rows.push(row(&format!("the first 16 KiB after a cursor {what}"), measured, ""));
    }
    let (mut at, mut count, begin) = (Seq(0), 0, Instant::now());
    while begin.elapsed() < Duration::from_secs(10) {
        let read = runtime.block_on(file.read(at, 1 << 18))?;
        let Some(last) = read.last() else { break };
        at = last.seq;
        count += read.len();
    }
    rows.push(row("replay in pieces of 256 KiB", format!("{:.0}/s", rate(count, begin.elapsed())), ""));
    Ok(rows)
}

/// Look-ups in files that the system was told to forget.
const COLD: u64 = 300;

/// Lets the system forget what it has of files whose names end so.
fn evict(folder: &Path, end: &str) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(end) {
            let file = std::fs::File::open(&path)?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        }
    }
    Ok(())
}
