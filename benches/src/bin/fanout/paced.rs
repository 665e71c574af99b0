//! Processor time per delivered event: one update at a time, and many at once, each beside the floor.

use std::time::Duration;

use petasos_benches::crowd::Clients;
use petasos_benches::floor::Floor;
use petasos_benches::machine;
use petasos_benches::subject::{Subject, frame};

use crate::{Row, median};

const TOPIC: &str = "https://example.com/books/1";
const ROUNDS: u64 = 25;
const BURSTS: u64 = 5;
const BURST: u64 = 100;

/// Measures in turns, so that what else the machine does meets both alike.
pub(crate) fn measure(subscribers: usize) -> anyhow::Result<Vec<Row>> {
    let frame = frame()?;
    let (mut floor, address) = Floor::start(subscribers)?;
    let mut bare_clients = Clients::start(address, subscribers, "x")?;
    let subject = Subject::start()?;
    let request = format!("GET /.well-known/mercure?match={TOPIC} HTTP/1.1\r\nhost: bench\r\n\r\n");
    let mut hub_clients = Clients::start(subject.address, subscribers, &request)?;

    let (mut bare, mut hub, mut burst) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let before = floor.cpu_time()?;
        bare_clients.expect(frame.len())?;
        floor.send()?;
        bare_clients.received()?;
        bare.push(floor.cpu_time()? - before);
        hub.push(timed(&mut hub_clients, frame.len(), || subject.publish(TOPIC, round, 1))?);
    }
    for round in 0..BURSTS {
        let bytes = frame.len() * usize::try_from(BURST)?;
        burst.push(timed(&mut hub_clients, bytes, || subject.publish(TOPIC, 1000 + round * BURST, BURST))?);
    }
    let per_event = |times, events: u64| {
        median(times).map(|time: Duration| time.as_secs_f64() * 1e6 / subscribers as f64 / events as f64)
    };
    let (bare, hub, burst) = (per_event(bare, 1)?, per_event(hub, 1)?, per_event(burst, BURST)?);
    Ok(vec![
        row(
            format!("CPU per delivered event, one update at a time, {subscribers} subscribers"),
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
    let before = machine::cpu_time();
    send()?;
    clients.received()?;
    Ok(machine::cpu_time() - before)
}

fn row(what: String, measured: f64, bare: f64, target: &'static str) -> Row {
    let measured = format!("{measured:.2} us = {:.2} x", measured / bare);
    Row { what, measured, floor: format!("{bare:.2} us (bare loop)"), target }
}
