//! Times, and what is said about many of them.

use std::fmt;
use std::time::Duration;

/// Many times of the same thing.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that this share of them does not exceed.
    pub(crate) fn percentile(&mut self, share: f64) -> Duration {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        // Between 0 and the number of times.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let at = (last as f64 * share).round() as usize;
        self.0.get(at).copied().unwrap_or_default()
    }

    pub(crate) fn median(&mut self) -> Duration {
        self.percentile(0.5)
    }

    pub(crate) fn max(&mut self) -> Duration {
        self.percentile(1.0)
    }
}

/// A time in the unit that fits.
pub(crate) struct Show(pub(crate) Duration);

impl fmt::Display for Show {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        match seconds {
            _ if seconds < 1e-6 => write!(f, "{:.0} ns", seconds * 1e9),
            _ if seconds < 1e-4 => write!(f, "{:.1} us", seconds * 1e6),
            _ if seconds < 1e-3 => write!(f, "{:.0} us", seconds * 1e6),
            _ if seconds < 1.0 => write!(f, "{:.1} ms", seconds * 1e3),
            _ => write!(f, "{seconds:.2} s"),
        }
    }
}

/// How many a second.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
pub(crate) fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-9)
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
