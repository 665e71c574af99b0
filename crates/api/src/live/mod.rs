//! Live resources: what happens to a row reaches everyone who shows it.

mod config;
pub(crate) use config::{LiveConfig, Target};
mod publisher;
pub(crate) use publisher::HttpPublisher;
pub use publisher::{PublishFailure, Publisher};
mod relay;
pub(crate) use relay::Relay;
