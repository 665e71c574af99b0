//! HTTP/2 with many streams per connection: memory per stream, and half a million subscribers of one process.

use std::time::Duration;

use petasos_benches::child::Child;
use petasos_benches::machine;
use petasos_benches::multiplexed::Multiplexed;
use petasos_benches::subject::{Subject, frame};

use crate::Row;

const STREAMS: usize = 100;
const FEW: usize = 1_000;
const MANY: usize = 5_000;
const TOPIC: &str = "https://example.com/books/1";

/// In a process of its own, whose memory is nothing but the hub's.
pub(crate) fn measure(_: usize) -> anyhow::Result<Vec<Row>> {
    let mut child = Child::start(&["child", "http2"])?;
    let measured = child.hear("per stream:")?;
    let held = child.hear("held:")?;
    let row = |what: String, measured, target| Row { what, measured, floor: String::new(), target };
    Ok(vec![
        row(
            format!("HTTP/2, {STREAMS} streams per connection: user memory per stream"),
            measured,
            "<= 1536 B",
        ),
        row(format!("the same: {} subscribers held at once by one process", STREAMS * MANY), held, "shown"),
    ])
}

/// The process: opens a part, then the rest, then delivers one event to everyone.
pub(crate) fn child() -> anyhow::Result<()> {
    machine::raise_open_files()?;
    let subject = Subject::start()?;
    let path = format!("/.well-known/mercure?match={TOPIC}");
    let mut few = Multiplexed::start(subject.address, FEW, STREAMS, &path)?;
    subject.await_subscribers(FEW * STREAMS);
    let before = machine::anonymous_memory()?;
    let mut many = Multiplexed::start(subject.address, MANY - FEW, STREAMS, &path)?;
    subject.await_subscribers(MANY * STREAMS);
    let after = machine::anonymous_memory()?;
    let slope = after.saturating_sub(before) / ((MANY - FEW) * STREAMS) as u64;
    println!("per stream: {slope} B");
    let opened = few.opened_in + many.opened_in;
    let (wall, cpu) = deliver(&subject, &mut [&mut few, &mut many])?;
    println!(
        "held: {} MiB; opened at {:.0}/s; one event to all of them in {:.2} s, {:.2} us of CPU each",
        machine::anonymous_memory()? >> 20,
        (MANY * STREAMS) as f64 / opened.as_secs_f64(),
        wall.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / (MANY * STREAMS) as f64
    );
    Ok(())
}

fn deliver(subject: &Subject, crowds: &mut [&mut Multiplexed]) -> anyhow::Result<(Duration, Duration)> {
    for crowd in &mut *crowds {
        crowd.expect(frame()?.len())?;
    }
    let (wall, cpu) = (machine::now(), machine::cpu_time());
    subject.publish(TOPIC, 0, 1)?;
    for crowd in crowds {
        crowd.received()?;
    }
    Ok((machine::now() - wall, machine::cpu_time() - cpu))
}
