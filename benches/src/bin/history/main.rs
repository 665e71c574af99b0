//! What the history costs, beside a bare loop that writes and flushes one update at a time, in the same run.
//!
//! `history append` measures publishing, `history http` the same from end to end, `history scale [EVENTS]` look-ups, replay,
//! opening, memory and retention with so many events; without an argument all of it. Files stand in `target/bench-history`.

mod append;
mod events;
mod floor;
mod http;
mod numbers;
mod retention;
mod scale;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.first().map(String::as_str) {
        Some("append") => table(append::measure),
        Some("http") => table(http::measure),
        Some("scale") => scale::measure(events(&args)).map(|rows| print(&rows)),
        Some("memory") => scale::child(&args[1..]),
        Some("--help" | "-h") => {
            println!("history [append | http | scale [EVENTS]]  measures the history; all of it by default");
            Ok(())
        }
        _ => all(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn events(args: &[String]) -> u64 {
    args.get(1).and_then(|count| count.parse().ok()).unwrap_or(5_000_000)
}

fn all() -> anyhow::Result<()> {
    table(append::measure)?;
    table(http::measure)?;
    for events in [1_000_000, 5_000_000] {
        print(&scale::measure(events)?);
    }
    Ok(())
}

fn table(measure: fn() -> anyhow::Result<Vec<Row>>) -> anyhow::Result<()> {
    print(&measure()?);
    Ok(())
}

fn print(rows: &[Row]) {
    println!("| what | measured | floor | target |\n|---|---|---|---|");
    for row in rows {
        println!("| {} | {} | {} | {} |", row.what, row.measured, row.floor, row.target);
    }
    println!();
}

/// A line of the table.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// What came out.
    pub(crate) measured: String,
    /// What the bare loop did in the same run.
    pub(crate) floor: String,
    /// What it should be.
    pub(crate) target: &'static str,
}

/// A folder that is removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> anyhow::Result<Self> {
        let path = Path::new("target/bench-history").join(name);
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} was not removed: {error}", self.0.display());
        }
    }
}
