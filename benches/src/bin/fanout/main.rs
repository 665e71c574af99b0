//! What the hub's fan-out costs, beside a bare loop of writes over as many sockets of the same kind in the same run.
//!
//! `fanout` runs every measurement and prints one table; `fanout paced` and so on run one. The subscribers, and the bare
//! loop, live in processes of their own (`fanout child ...`), so that the processor time of this one is the hub's alone.

mod connects;
mod http2;
mod matching;
mod memory;
mod paced;
mod stuck;

use std::process::ExitCode;

use anyhow::bail;
use petasos_benches::{crowd, floor, machine, multiplexed};

/// Measures with at most so many subscribers.
type Measure = fn(usize) -> anyhow::Result<Vec<Row>>;

/// The measurements, in the order of the table.
const SECTIONS: &[(&str, Measure)] = &[
    ("paced", paced::measure),
    ("memory", memory::measure),
    ("matching", matching::measure),
    ("stuck", stuck::measure),
    ("http2", http2::measure),
    ("connects", connects::measure),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((first, rest)) if first == "child" => be_child(rest),
        _ => table(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn be_child(args: &[String]) -> anyhow::Result<()> {
    let Some((name, args)) = args.split_first() else { bail!("which child?") };
    match name.as_str() {
        "crowd" => crowd::run(args),
        "floor" => floor::run(args),
        "multiplexed" => multiplexed::run(args),
        "stuck" => petasos_benches::stuck::run(args),
        "memory" => memory::child(args),
        "http2" => http2::child(),
        other => bail!("there is no child {other:?}"),
    }
}

fn table(names: &[String]) -> anyhow::Result<()> {
    let known: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
    if let Some(other) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no measurement {other:?}; there are {}", known.join(", "));
    }
    // What is not a subscriber's also needs files.
    let subscribers = (machine::raise_open_files()? - 200).min(19_000);
    let mut rows = Vec::new();
    for (name, measure) in SECTIONS {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            eprintln!("{name} ...");
            rows.extend(measure(subscribers)?);
        }
    }
    println!("| what | measured | floor or comparison | target |\n|---|---|---|---|");
    for row in rows {
        println!("| {} | {} | {} | {} |", row.what, row.measured, row.floor, row.target);
    }
    Ok(())
}

/// A line of the table.
struct Row {
    /// What was measured.
    what: String,
    /// What came out.
    measured: String,
    /// What it is held against.
    floor: String,
    /// What it should be.
    target: &'static str,
}

/// The one in the middle.
fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> anyhow::Result<T> {
    values.sort_unstable_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied().ok_or_else(|| anyhow::anyhow!("nothing was measured"))
}
