//! Processor time per delivered event: one update at a time, and many at once, each beside the floor.

use std::time::Duration;

use crate::clients::Clients;
use crate::floor::Floor;
use crate::subject::{Subject, frame};
use crate::{Row, cpu};

const TOPIC: &str = "https://example.com/books/1";
const ROUNDS: u64 = 25;
const BURST: u64 = 100;

/// Measures in turns, so that what else the machine does meets both alike.
pub(crate) fn measure(subscribers: usize) -> anyhow::Result<Vec<Row>> {
    let frame = frame()?;
    let (listener, address) = Floor::listen()?;
    let accept = std::thread::spawn(move || Floor::accept(&listener, subscribers));
    let mut bare_clients = Clients::start(address, subscribers, "x")?;
    let mut floor = accept.join().map_err(|_| anyhow::anyhow!("the floor panicked"))??;
    let subject = Subject::start()?;
    let request = format!("GET /.well-known/mercure?match={TOPIC} HTTP/1.1\r\nhost: bench\r\n\r\n");
    let mut hub_clients = Clients::start(subject.address, subscribers, &request)?;

    let (mut bare, mut hub, mut burst) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        bare.push(timed(&mut bare_clients, frame.len(), || floor.send(&frame))?);
        hub.push(timed(&mut hub_clients, frame.len(), || subject.publish(TOPIC, round, 1))?);
    }
    for round in 0..5 {
        let bytes = frame.len() * usize::try_from(BURST)?;
        burst.push(timed(&mut hub_clients, bytes, || subject.publish(TOPIC, 1000 + round * BURST, BURST))?);
    }
    let (bare, hub) = (per_event(&mut bare, subscribers, 1), per_event(&mut hub, subscribers, 1));
    let burst = per_event(&mut burst, subscribers, BURST);
    Ok(vec![
        row(
            format!("CPU per delivered event, one at a time, {subscribers} subscribers"),
            hub,
            bare,
            "<= 1.15 x",
        ),
        row(format!("the same, {BURST} updates at once"), burst, bare, "<= 0.15 x"),
    ])
}

fn timed(
    clients: &mut Clients,
    bytes: usize,
    send: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Duration> {
    clients.expect(bytes)?;
    let before = cpu::time();
    send()?;
    clients.received()?;
    Ok(cpu::time() - before)
}

/// Median, in microseconds per event and subscriber.
fn per_event(times: &mut [Duration], subscribers: usize, events: u64) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6 / subscribers as f64 / events as f64
}

fn row(what: String, measured: f64, bare: f64, target: &'static str) -> Row {
    let measured = format!("{measured:.2} us = {:.2} x the bare loop ({bare:.2} us)", measured / bare);
    Row { what, measured, target }
}
