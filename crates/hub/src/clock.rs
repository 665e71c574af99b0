//! Time as a parameter: everything in the hub asks a [`Clock`], so tests decide what time it is.

use std::fmt;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where the hub learns the time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Milliseconds since an arbitrary start; never goes backwards.
    fn monotonic_ms(&self) -> u64;

    /// Microseconds since the same start, for what is measured and not decided by.
    fn monotonic_us(&self) -> u64 {
        self.monotonic_ms().saturating_mul(1000)
    }

    /// Seconds since the Unix epoch.
    fn unix_seconds(&self) -> u64;

    /// Milliseconds since the Unix epoch, if the clock is that exact.
    fn unix_ms(&self) -> u64 {
        self.unix_seconds().saturating_mul(1000)
    }
}

/// The machine's own clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts counting now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn unix_seconds(&self) -> u64 {
        self.unix_ms() / 1000
    }

    fn unix_ms(&self) -> u64 {
        // A clock before 1970 reads as 0: every token with `nbf` is then refused, which is the safe side.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
