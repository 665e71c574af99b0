//! What a publish costs that one subscriber of very many wants; in process, without sockets.

use std::time::Duration;

use petasos_benches::machine;
use petasos_benches::subject::Subject;

use crate::{Row, median};

const FEW: usize = 1_000;
const MANY: usize = 1_000_000;
const PATTERNS: usize = 10_000;
const PUBLISHES: u64 = 2_000;
const ROUNDS: u64 = 7;

/// Exact subscriptions few and many, and many patterns.
pub(crate) fn measure(_: usize) -> anyhow::Result<Vec<Row>> {
    let exact = |number: usize| format!("match=https://example.com/books/{number}");
    let (few, many) = (Crowd::new(FEW, exact)?, Crowd::new(MANY, exact)?);
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        of_few.push(few.publish_cost(round, |at, _| format!("https://example.com/books/{at}"))?);
        of_many.push(many.publish_cost(round, |at, _| format!("https://example.com/books/{at}"))?);
    }
    drop((few, many));
    let patterns =
        Crowd::new(PATTERNS, |number| format!("match_urlpattern=https://example.com/kind-{number}/:id"))?;
    // A topic of its own each time, so that nothing is cached.
    let topic = |at, number| format!("https://example.com/kind-{at}/{number}");
    let of_patterns: Result<Vec<_>, _> =
        (0..ROUNDS).map(|round| patterns.publish_cost(round, topic)).collect();
    let micros = |times| median(times).map(|time: Duration| time.as_secs_f64() * 1e6);
    let (few, many, patterns) = (micros(of_few)?, micros(of_many)?, micros(of_patterns?)?);
    Ok(vec![
        Row {
            what: format!("CPU of a publish for 1 of {MANY} exact subscriptions"),
            measured: format!("{many:.2} us = {:.2} x", many / few),
            floor: format!("{few:.2} us (1 of {FEW})"),
            target: "<= 1.2 x",
        },
        Row {
            what: format!("CPU of a publish for 1 of {PATTERNS} distinct URL patterns"),
            measured: format!("{patterns:.2} us"),
            floor: String::new(),
            target: "<= 50 us",
        },
    ])
}

/// A hub with subscriptions that nobody reads.
struct Crowd {
    subject: Subject,
    streams: Vec<http::Response<petasos_hub::HubBody>>,
}

impl Crowd {
    fn new(count: usize, query: impl Fn(usize) -> String) -> anyhow::Result<Self> {
        // Nobody reads what is sent here, and nobody may be cut off for that.
        let subject = Subject::with(|builder| {
            builder.heartbeat(None).backlog_limits(petasos_hub::BacklogLimits {
                max_stall_ms: u64::MAX,
                max_frames: usize::MAX,
                ..petasos_hub::BacklogLimits::default()
            })
        })?;
        let streams =
            (0..count).map(|number| subject.subscribe(&query(number))).collect::<anyhow::Result<_>>()?;
        subject.await_subscribers(count);
        Ok(Self { subject, streams })
    }

    /// Publishes for one subscription after the other, all over the crowd.
    fn publish_cost(&self, round: u64, topic: impl Fn(u64, u64) -> String) -> anyhow::Result<Duration> {
        let deliveries = &self.subject.hub.metrics().deliveries_total;
        let (first, delivered) = (round * PUBLISHES, deliveries.value());
        let topics: Vec<String> = (first..first + PUBLISHES)
            .map(|number| topic((number * 7919) % self.streams.len() as u64, number))
            .collect();
        let before = machine::cpu_time();
        for (number, topic) in (first..).zip(&topics) {
            self.subject.publish(topic, number, 1)?;
        }
        while deliveries.value() < delivered + PUBLISHES {
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok((machine::cpu_time() - before) / u32::try_from(PUBLISHES)?)
    }
}
