//! One command per file.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use petasos_client::token::{Credential, Secret};
use petasos_protocol::{HubUrl, Matcher};

pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod history;
pub(crate) mod hub;
pub(crate) mod outbox;
pub(crate) mod publish;
pub(crate) mod subscribe;
pub(crate) mod token;

/// Reads a secret; the message names the option and never shows the value.
fn secret(value: &str, option: &str) -> anyhow::Result<Secret> {
    Secret::new(value.as_bytes()).with_context(|| format!("{option} cannot be used"))
}

/// Reads a secret or a ready token.
fn credential(value: &str, option: &str) -> anyhow::Result<Credential> {
    Credential::parse(value).with_context(|| format!("{option} cannot be used"))
}

/// Exact topics and patterns, in this order.
fn matchers(exact: &[String], patterns: &[String], hub: &HubUrl) -> anyhow::Result<Vec<Matcher>> {
    let exact = exact.iter().map(|topic| Matcher::exact(topic));
    let patterns = patterns.iter().map(|pattern| Matcher::url_pattern(pattern, hub));
    exact.chain(patterns).map(|matcher| Ok(matcher?)).collect()
}

/// Now, in seconds since the epoch.
fn now() -> anyhow::Result<u64> {
    let since =
        SystemTime::now().duration_since(UNIX_EPOCH).context("the clock of this machine is before 1970")?;
    Ok(since.as_secs())
}
