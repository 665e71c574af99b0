//! Memory per idle subscriber: the slope between two numbers of them, in a process that does nothing else.

use anyhow::Context;
use petasos_benches::child::Child;
use petasos_benches::crowd::Clients;
use petasos_benches::machine;
use petasos_benches::subject::Subject;

use crate::Row;

const FEW: usize = 5_000;

/// One process per shape, so that neither sees the other's leftovers.
pub(crate) fn measure(many: usize) -> anyhow::Result<Vec<Row>> {
    let shapes = [
        ("same class", "https://example.com/1", "<= 256 B"),
        ("own topic each", "https://example.com/{}", "<= 512 B"),
    ];
    shapes
        .into_iter()
        .map(|(what, topic, target)| {
            let mut child = Child::start(&["child", "memory", topic, &many.to_string()])?;
            let measured = format!("{} B", child.hear("slope")?);
            let what = format!("user memory per idle subscriber, {what} ({FEW} to {many})");
            Ok(Row { what, measured, floor: String::new(), target })
        })
        .collect()
}

/// The process: says bytes per subscriber.
pub(crate) fn child(args: &[String]) -> anyhow::Result<()> {
    machine::raise_open_files()?;
    let [topic, many] = args else { anyhow::bail!("memory TOPIC MANY") };
    let more = many.parse::<usize>()?.checked_sub(FEW).context("too few open files")?;
    let subject = Subject::start()?;
    let request = format!("GET /.well-known/mercure?match={topic} HTTP/1.1\r\nhost: bench\r\n\r\n");
    let _few = Clients::start(subject.address, FEW, &request)?;
    subject.await_subscribers(FEW);
    let before = machine::anonymous_memory()?;
    let _more = Clients::start(subject.address, more, &request.replace("{}", "more-{}"))?;
    subject.await_subscribers(FEW + more);
    let after = machine::anonymous_memory()?;
    println!("slope {}", after.saturating_sub(before) / more as u64);
    Ok(())
}
