//! A Mercure hub as a library: it authorises, stores and dispatches updates over Server-Sent Events.
//!
//! [`Hub`] is the hub; [`Hub::builder`] describes one. [`server::serve`] runs it on a listener, beside an application of
//! your own; [`Hub::handle`] answers single requests, for a router that you already have; [`Hub::publish`] publishes from
//! within the program. Where updates are kept is a [`transport::Transport`].
//!
//! ```
//! use petasos_hub::{Hub, Key};
//! use petasos_protocol::{HubUrl, Topic, Update};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::builder()
//!     .public_url(HubUrl::parse("https://example.com/.well-known/mercure")?)
//!     .publisher_key(Key::hs256(b"a secret of at least thirty-two bytes")?)
//!     .anonymous(true)
//!     .build()?;
//! let id = hub.publish(Update::new(Topic::new("https://example.com/books/1")?).with_data("{}"), None).await?;
//! assert_eq!(hub.last_event_id(), Some(id));
//! hub.close().await;
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod activity;
mod admission;
pub use admission::ConnectionLimits;
mod auth;
pub use auth::{
    Algorithm, Issuer, Key, KeyError, KeySet, KeySetFile, KeySetSource, KeySetUrl, random_secret,
};
mod builder;
pub use builder::{HubBuilder, HubError, Patience};
mod clock;
pub use clock::{Clock, SystemClock};
mod dispatch;
pub use dispatch::{BacklogLimits, Counter, Gauge, Histogram, Metrics};
mod event;
pub use event::Event;
mod http;
pub use http::{ClientAddress, Hosts, HubBody, Never};
mod hub;
pub use hub::{Hub, PublishError};
mod idempotency;
mod ids;
pub use ids::{Ids, Random, TimeOrdered};
pub mod server;
pub mod transport;
