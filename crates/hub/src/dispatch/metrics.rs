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
    /// See [`Metrics::cut_bytes_total`]: all backlogs together pinned too much memory.
    pub cut_budget_total: Counter,
    /// Subscribers cut off because they sent data after their request.
    pub cut_talks_total: Counter,
    /// Memory that backlogs pin, shared frames counted once; as of the last second.
    pub backlog_bytes: Gauge,
    /// Connections that were refused (503) because there was no room for another open file.
    pub refused_total: Counter,
    /// Time from an update's hand-over to a shard until the shard has written it to everyone.
    pub fanout: Histogram,
}

impl Metrics {
    pub(crate) fn cut(&self, cut: Cut) {
        match cut {
            Cut::Bytes => self.cut_bytes_total.add(1),
            Cut::Frames => self.cut_frames_total.add(1),
            Cut::Stalled => self.cut_stalled_total.add(1),
            Cut::Budget => self.cut_budget_total.add(1),
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
            ("petasos_backlog_bytes", "Memory that slow subscribers pin.", &self.backlog_bytes),
        ] {
            sample(f, name, "gauge", help, gauge.value())?;
        }
        for (name, help, counter) in [
            ("mercure_subscribers_total", "Streams that were ever opened.", &self.subscribers_total),
            ("mercure_updates_total", "Updates that the history took.", &self.accepted_total),
            ("petasos_dispatches_total", "Updates dispatched, once per shard.", &self.updates_total),
            ("petasos_deliveries_total", "Events handed to subscribers.", &self.deliveries_total),
            ("petasos_joined_deliveries_total", "Of these, events that shared a write.", &self.joined_total),
            ("petasos_refused_connections_total", "Refused for want of open files.", &self.refused_total),
        ] {
            sample(f, name, "counter", help, counter.value())?;
        }
        let name = "petasos_cut_offs_total";
        writeln!(f, "# HELP {name} Streams that were cut off, by reason.\n# TYPE {name} counter")?;
        for (reason, counter) in [
            ("bytes", &self.cut_bytes_total),
            ("frames", &self.cut_frames_total),
            ("stalled", &self.cut_stalled_total),
            ("budget", &self.cut_budget_total),
            ("talks", &self.cut_talks_total),
        ] {
            writeln!(f, "{name}{{reason=\"{reason}\"}} {}", counter.value())?;
        }
        self.fanout.write(f, "petasos_fanout_seconds", "Time until a shard has written updates to everyone.")
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

    /// One contributor's share was `from` and is `to` now.
    pub(crate) fn change(&self, from: u64, to: u64) {
        self.0.fetch_add(to.wrapping_sub(from), Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }
}

/// How often something took how long.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; Self::BOUNDS.len() + 1],
    sum: AtomicU64,
}

impl Histogram {
    /// Upper bounds of the buckets, in microseconds; what took longer is in one more bucket.
    pub const BOUNDS: [u64; 14] = [
        100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
        5_000_000,
    ];

    pub(crate) fn observe(&self, micros: u64) {
        let bucket = Self::BOUNDS.partition_point(|bound| *bound < micros);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many observations lay at or below each bound; the last one is of all observations.
    pub fn cumulative(&self) -> impl Iterator<Item = u64> {
        self.buckets.iter().scan(0, |sum, bucket| {
            *sum += bucket.load(Ordering::Relaxed);
            Some(*sum)
        })
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, name: &str, help: &str) -> fmt::Result {
        writeln!(f, "# HELP {name} {help}\n# TYPE {name} histogram")?;
        let counts: Vec<u64> = self.cumulative().collect();
        for (bound, count) in Self::BOUNDS.iter().zip(&counts) {
            writeln!(f, "{name}_bucket{{le=\"{}\"}} {count}", seconds(*bound))?;
        }
        let all = counts.last().copied().unwrap_or_default();
        writeln!(f, "{name}_bucket{{le=\"+Inf\"}} {all}")?;
        writeln!(f, "{name}_sum {}\n{name}_count {all}", seconds(self.sum()))
    }

    /// All observations added up, in microseconds.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }
}

fn seconds(micros: u64) -> f64 {
    // Exact up to 285 years.
    micros as f64 / 1e6
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU64::new(0)), sum: AtomicU64::new(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_up_to_and_with_each_bound() {
        let histogram = Histogram::default();
        for micros in [0, 100, 101, 5_000_000, 5_000_001] {
            histogram.observe(micros);
        }
        let counts: Vec<u64> = histogram.cumulative().collect();
        assert_eq!((counts[0], counts[1], counts[13], counts[14]), (2, 3, 4, 5));
        assert_eq!(histogram.sum(), 10_000_202);
        let metrics = Metrics { fanout: histogram, ..Metrics::default() }.to_string();
        for line in [
            "petasos_fanout_seconds_bucket{le=\"0.0001\"} 2",
            "petasos_fanout_seconds_bucket{le=\"5\"} 4",
            "petasos_fanout_seconds_bucket{le=\"+Inf\"} 5",
            "petasos_fanout_seconds_sum 10.000202",
            "petasos_fanout_seconds_count 5",
            "petasos_backlog_bytes 0",
            "petasos_cut_offs_total{reason=\"budget\"} 0",
        ] {
            assert!(metrics.lines().any(|other| other == line), "{line} is not in {metrics}");
        }
    }
}
