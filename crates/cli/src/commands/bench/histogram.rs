//! How often something took how long, to within two per cent, in little memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts of microseconds: 64 buckets for each power of two.
#[derive(Debug)]
pub(super) struct Histogram(Box<[AtomicU64]>);

impl Histogram {
    pub(super) fn new() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }

    pub(super) fn add(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0[bucket(micros)].fetch_add(1, Ordering::Relaxed);
    }

    /// The time within which so many of a thousand lay; nothing if there were none at all.
    pub(super) fn within(&self, permille: u64) -> Option<Duration> {
        let counts: Vec<u64> = self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let wanted = (u128::from(all) * u128::from(permille)).div_ceil(1000).max(1);
        let mut seen = 0;
        let position = counts.iter().position(|count| {
            seen += u128::from(*count);
            seen >= wanted
        })?;
        Some(Duration::from_micros(upper(position)))
    }
}

/// Exact below 64, then the seven highest bits.
fn bucket(micros: u64) -> usize {
    let shift = (u64::BITS - micros.leading_zeros()).saturating_sub(FINE_BITS + 1);
    let within = usize::try_from(micros >> shift).unwrap_or(0);
    shift as usize * FINE + within
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let shift = (bucket / FINE).saturating_sub(1);
    let within = (bucket - shift * FINE) as u64;
    ((within + 1) << shift) - 1
}

const FINE_BITS: u32 = 6;
const FINE: usize = 1 << FINE_BITS;
/// Enough for 2^57 microseconds and more; a shift is at most 57.
const BUCKETS: usize = 60 * FINE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_within_two_per_cent_of_its_bucket() {
        for value in (0..300).chain((0..50).map(|bit| 1 << bit)).chain((1..50).map(|bit| (1 << bit) - 1)) {
            let upper = upper(bucket(value));
            assert!(upper >= value && upper - value <= value / 50, "{value}: {upper}");
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn parts_of_what_was_counted_are_found() {
        let histogram = Histogram::new();
        assert_eq!(histogram.within(500), None);
        (1..=1000).for_each(|millis| histogram.add(Duration::from_millis(millis)));
        let near = |permille, millis: u64| {
            let found = histogram.within(permille).unwrap().as_millis() as u64;
            assert!(found >= millis && found <= millis + millis / 50 + 1, "{permille}: {found}");
        };
        near(0, 1);
        near(500, 500);
        near(990, 990);
        near(1000, 1000);
    }
}
