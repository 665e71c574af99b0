//! What came of it.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::Plan;
use super::tally::Tally;

/// The figures of a run.
pub(super) struct Report {
    wanted: usize,
    opened: usize,
    opened_in: Duration,
    lasted: Duration,
    stopped: bool,
    published: u64,
    unpublished: u64,
    received: u64,
    repeated: u64,
    reconnects: u64,
    /// In thousandths of all deliveries.
    latency: Vec<(&'static str, Option<Duration>)>,
    trouble: Option<String>,
}

impl Report {
    pub(super) fn new(
        plan: &Plan,
        tally: &Tally,
        opened_in: Duration,
        lasted: Duration,
        stopped: bool,
    ) -> Self {
        let parts = [("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999), ("max", 1000)];
        Self {
            wanted: plan.subscribers,
            opened: tally.opened.load(Ordering::Relaxed),
            opened_in,
            lasted,
            stopped,
            published: tally.published.load(Ordering::Relaxed),
            unpublished: tally.unpublished.load(Ordering::Relaxed),
            received: tally.received.load(Ordering::Relaxed),
            repeated: tally.repeated.load(Ordering::Relaxed),
            reconnects: tally.reconnects.load(Ordering::Relaxed),
            latency: parts.map(|(name, permille)| (name, tally.latency.within(permille))).into(),
            trouble: tally.trouble(),
        }
    }

    fn expected(&self) -> u64 {
        self.published * self.opened as u64
    }

    /// Of updates that the hub acknowledged, events that a subscriber whose stream was open has not got.
    fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    fn connects_per_second(&self) -> f64 {
        self.opened as f64 / self.opened_in.as_secs_f64()
    }

    fn deliveries_per_second(&self) -> f64 {
        self.received as f64 / self.lasted.as_secs_f64()
    }

    pub(super) fn as_json(&self) -> Value {
        let millis = |(name, time): &(&str, Option<Duration>)| {
            ((*name).to_owned(), json!(time.map(|time| time.as_secs_f64() * 1e3)))
        };
        json!({
            "subscribers": self.opened,
            "refused": self.wanted - self.opened,
            "connects_per_second": self.connects_per_second(),
            "seconds": self.lasted.as_secs_f64(),
            "stopped_early": self.stopped,
            "published": self.published,
            "not_published": self.unpublished,
            "deliveries": self.received,
            "deliveries_per_second": self.deliveries_per_second(),
            "lost": self.lost(),
            "repeated": self.repeated,
            "reconnects": self.reconnects,
            "latency_ms": self.latency.iter().map(millis).collect::<serde_json::Map<_, _>>(),
            "first_trouble": self.trouble,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.lasted.as_secs_f64();
        let note = if self.stopped { ", stopped early" } else { "" };
        writeln!(f, "subscribers  {} of {}", self.opened, self.wanted)?;
        writeln!(f, "connects     {:.0}/s", self.connects_per_second())?;
        writeln!(f, "published    {} in {seconds:.1} s{note}; {} failed", self.published, self.unpublished)?;
        writeln!(
            f,
            "deliveries   {} of {}; {:.0}/s",
            self.received,
            self.expected(),
            self.deliveries_per_second()
        )?;
        writeln!(f, "lost         {}", self.lost())?;
        writeln!(f, "repeated     {}; {} reconnects", self.repeated, self.reconnects)?;
        let latency = self.latency.iter().map(|(name, time)| match time {
            Some(time) => format!("{name} {:.2} ms", time.as_secs_f64() * 1e3),
            None => format!("{name} -"),
        });
        writeln!(f, "latency      {}", latency.collect::<Vec<_>>().join(", "))?;
        match &self.trouble {
            Some(trouble) => writeln!(f, "trouble      {trouble}"),
            None => Ok(()),
        }
    }
}
