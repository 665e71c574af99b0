//! What it costs to be live: writes with and without it in one run, the time from a commit to its event, and how fast a large
//! change is relayed. The API, its relay and its hub are in this process; PostgreSQL is a private server with its usual
//! durability.

mod bulk;
mod http;
mod latency;
mod shop;
mod writes;

use std::process::ExitCode;

use petasos_testkit::Postgres;
use shop::Shop;

fn main() -> ExitCode {
    match all() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn all() -> anyhow::Result<()> {
    println!("| what | measured | target |\n|---|---|---|");
    // As it comes: the hub keeps its updates in files.
    run("files", &[writes::measure, latency::measure, bulk::measure])?;
    run("memory", &[latency::measure, bulk::measure])
}

type Measure = fn(&Shop) -> anyhow::Result<Vec<Row>>;

/// On each database, with a hub whose history is kept in files or in memory.
fn run(history: &str, measures: &[Measure]) -> anyhow::Result<()> {
    let server = Postgres::start(&[])?;
    let folder = tempfile::tempdir()?;
    for (name, url) in [
        ("SQLite", format!("sqlite://{}?mode=rwc", folder.path().join("bench.db").display())),
        ("PostgreSQL", server.database()?),
    ] {
        let transport = match history {
            "files" => format!("file:{}", folder.path().join(name).display()),
            _ => "memory:".to_owned(),
        };
        let shop = Shop::open(&url, &transport)?;
        for measure in measures {
            for row in measure(&shop)? {
                println!(
                    "| {name}, history in {history}: {} | {} | {} |",
                    row.what, row.measured, row.target
                );
            }
        }
    }
    Ok(())
}

/// A line of the table.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// What came out.
    pub(crate) measured: String,
    /// What it should be.
    pub(crate) target: &'static str,
}

/// The value below which so many of a hundred are.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted
        .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}
