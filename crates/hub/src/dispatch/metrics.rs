//! What dispatch counts.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::backlog::Cut;

/// Counters of one hub's dispatch; all shards add to the same ones.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// Subscribers that are connected now.
    pub subscribers: Gauge,
    /// Subscribers that ever connected.
    pub subscribers_total: Counter,
    /// Classes (distinct interests) over all shards now.
    pub classes: Gauge,
    /// Updates that the history took, on this node or another one.
    pub accepted_total: Counter,
    /// Updates dispatched, once per shard.
    pub updates_total: Counter,
    /// Events handed to subscribers.
    pub deliveries_total: Counter,
    /// Events that shared their write with others.
    pub joined_total: Counter,
    /// Subscribers cut off because they were too slow, by what they exceeded.
    pub cut_bytes_total: Counter,
    /// See [`Metrics::cut_bytes_total`]: too many frames waited.
    pub cut_frames_total: Counter,
    /// See [`Metrics::cut_bytes_total`]: nothing was taken for too long.
    pub cut_stalled_total: Counter,
    /// Subscribers cut off because they sent data after their request.
    pub cut_talks_total: Counter,
}

impl Metrics {
    pub(crate) fn cut(&self, cut: Cut) {
        match cut {
            Cut::Bytes => self.cut_bytes_total.add(1),
            Cut::Frames => self.cut_frames_total.add(1),
            Cut::Stalled => self.cut_stalled_total.add(1),
            Cut::Talks => self.cut_talks_total.add(1),
            Cut::Gone | Cut::Expired | Cut::Stopped => {}
        }
    }
}

impl fmt::Display for Metrics {
    /// The text format of Prometheus. What the reference hub counts too has the same name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, help, gauge) in [
            ("mercure_subscribers_connected", "Streams that are open.", &self.subscribers),
            ("petasos_classes", "Distinct interests of subscribers, over all shards.", &self.classes),
        ] {
            sample(f, name, "gauge", help, gauge.value())?;
        }
        for (name, help, counter) in [
            ("mercure_subscribers_total", "Streams that were ever opened.", &self.subscribers_total),
            ("mercure_updates_total", "Updates that the history took.", &self.accepted_total),
            ("petasos_dispatches_total", "Updates dispatched, once per shard.", &self.updates_total),
            ("petasos_deliveries_total", "Events handed to subscribers.", &self.deliveries_total),
            ("petasos_joined_deliveries_total", "Of these, events that shared a write.", &self.joined_total),
        ] {
            sample(f, name, "counter", help, counter.value())?;
        }
        let name = "petasos_cut_offs_total";
        writeln!(f, "# HELP {name} Streams that were cut off, by reason.\n# TYPE {name} counter")?;
        for (reason, counter) in [
            ("bytes", &self.cut_bytes_total),
            ("frames", &self.cut_frames_total),
            ("stalled", &self.cut_stalled_total),
            ("talks", &self.cut_talks_total),
        ] {
            writeln!(f, "{name}{{reason=\"{reason}\"}} {}", counter.value())?;
        }
        Ok(())
    }
}

fn sample(f: &mut fmt::Formatter<'_>, name: &str, kind: &str, help: &str, value: u64) -> fmt::Result {
    writeln!(f, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Its value now.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}

/// A number that grows and shrinks.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Its value now.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }
}
