//! What an operator wants to know of an outbox.

use std::time::Duration;

/// How many changes wait, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Changes that wait.
    pub waiting: u64,
    /// How long the oldest of them has waited; zero if none does.
    pub age: Duration,
    /// Changes that were set aside.
    pub set_aside: u64,
}

/// A change that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetAside {
    /// Its number.
    pub seq: i64,
    /// The table of the row.
    pub table: String,
    /// What was done.
    pub operation: String,
    /// The row's primary key, as JSON.
    pub key: String,
    /// Why it can never be published.
    pub reason: String,
    /// When it was set aside, in UTC.
    pub at: String,
}
