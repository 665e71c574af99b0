//! What the hub's fan-out costs, beside a bare loop of writes over as many sockets in the same run.
//!
//! `fanout` runs every measurement and prints one table. The subscribers live in a second process (`fanout clients ...`),
//! so that the processor time of this one is the hub's alone.

mod clients;
mod cpu;
mod floor;
mod matching;
mod memory;
mod paced;
mod subject;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.first().map(String::as_str) {
        Some("clients") => clients::run(&args[1..]),
        Some("memory") => memory::child(&args[1..]),
        Some("--help" | "-h") => {
            println!(
                "fanout [SUBSCRIBERS]  measures the hub's fan-out; 9000 subscribers by default (18000 open files)"
            );
            Ok(())
        }
        count => all(count.and_then(|count| count.parse().ok()).unwrap_or(9000)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn all(subscribers: usize) -> anyhow::Result<()> {
    cpu::raise_open_files()?;
    let mut rows = Vec::new();
    rows.extend(paced::measure(subscribers)?);
    rows.extend(memory::measure()?);
    rows.extend(matching::measure()?);
    println!("| what | measured | target |\n|---|---|---|");
    for row in rows {
        println!("| {} | {} | {} |", row.what, row.measured, row.target);
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
