//! Memory per idle subscriber: the slope between two numbers of them, in a process that does nothing else.

use std::process::Command;

use anyhow::Context;

use crate::clients::Clients;
use crate::subject::Subject;
use crate::{Row, cpu};

const FEW: usize = 5_000;
const MANY: usize = 19_000;

/// One process per shape, so that neither sees the other's leftovers.
pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let shapes = [
        ("same class", "https://example.com/1", "<= 256 B"),
        ("own topic each", "https://example.com/{}", "<= 512 B"),
    ];
    shapes
        .into_iter()
        .map(|(what, topic, target)| {
            let output = Command::new(std::env::current_exe()?).args(["memory", topic]).output()?;
            let slope = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Ok(Row {
                what: format!("memory per idle subscriber, {what} ({FEW} to {MANY})"),
                measured: format!("{slope} B"),
                target,
            })
        })
        .collect()
}

/// The process: prints bytes per subscriber.
pub(crate) fn child(args: &[String]) -> anyhow::Result<()> {
    cpu::raise_open_files()?;
    let topic = args.first().context("a topic")?;
    let subject = Subject::start()?;
    let request = format!("GET /.well-known/mercure?match={topic} HTTP/1.1\r\nhost: bench\r\n\r\n");
    let _few = Clients::start(subject.address, FEW, &request)?;
    let before = cpu::anonymous_memory()?;
    let _more = Clients::start(subject.address, MANY - FEW, &request.replace("{}", "more-{}"))?;
    let after = cpu::anonymous_memory()?;
    println!("{}", after.saturating_sub(before) / (MANY - FEW) as u64);
    Ok(())
}
