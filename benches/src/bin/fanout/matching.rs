//! What a publish costs that one subscriber of very many wants; in process, without sockets.

use std::time::Duration;

use crate::subject::Subject;
use crate::{Row, cpu};

const PUBLISHES: u64 = 2_000;

/// Exact subscriptions few and many, and many patterns.
pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let exact = |number: usize| format!("match=https://example.com/books/{number}");
    let few = publish_cost(1_000, exact)?;
    let many = publish_cost(1_000_000, exact)?;
    let pattern = |number: usize| format!("match_urlpattern=https://example.com/kind-{number}/:id");
    let patterns = publish_cost(10_000, pattern)?;
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    Ok(vec![
        Row {
            what: "CPU of a publish for 1 of 1 000 000 exact subscriptions, against 1 of 1 000".to_owned(),
            measured: format!(
                "{:.2} us = {:.2} x ({:.2} us)",
                micros(many),
                micros(many) / micros(few),
                micros(few)
            ),
            target: "<= 1.2 x",
        },
        Row {
            what: "CPU of a publish for 1 of 10 000 URL patterns".to_owned(),
            measured: format!("{:.2} us", micros(patterns)),
            target: "<= 50 us",
        },
    ])
}

/// Publishes on a topic of its own each time, so that nothing is cached.
fn publish_cost(count: usize, query: impl Fn(usize) -> String) -> anyhow::Result<Duration> {
    let subject = Subject::start()?;
    let streams =
        (0..count).map(|number| subject.subscribe(&query(number))).collect::<anyhow::Result<Vec<_>>>()?;
    while subject.hub.metrics().subscribers.value() < count as u64 {
        std::thread::yield_now();
    }
    let is_pattern = query(0).contains("urlpattern");
    let before = cpu::time();
    for number in 0..PUBLISHES {
        let at = (number * 7919) % count as u64;
        let topic = if is_pattern {
            format!("https://example.com/kind-{at}/{number}")
        } else {
            format!("https://example.com/books/{at}")
        };
        subject.publish(&topic, number, 1)?;
    }
    while subject.hub.metrics().deliveries_total.value() < PUBLISHES {
        std::thread::yield_now();
    }
    let cost = (cpu::time() - before) / u32::try_from(PUBLISHES)?;
    drop(streams);
    Ok(cost)
}
