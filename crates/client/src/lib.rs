//! Clients of Mercure hubs: publish, subscribe, discover, and mint tokens.
//!
//! [`Publisher`] sends updates to a hub over HTTP; [`Subscriber`] receives them, reconnecting where it left off;
//! [`discover`] finds the hub of a resource by its `Link` header; [`token`] makes the tokens that all of this needs.
//!
//! ```no_run
//! use petasos_client::{Publisher, token::Credential};
//! use petasos_protocol::{Topic, Update};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = "https://example.com/.well-known/mercure";
//! let credential = Credential::parse("a secret of at least thirty-two bytes")?;
//! let publisher = Publisher::new(hub, credential, &[hub])?;
//! let update = Update::new(Topic::new("https://example.com/books/1")?).with_data("{}");
//! println!("{}", publisher.publish(&update, None).await?);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod discover;
pub use discover::{DiscoverError, Discovered, discover};
mod http;
pub use http::{ConfigError, Connections};
mod publisher;
pub use publisher::{PublishError, Publisher};
mod recording;
pub use recording::Recording;
mod subscriber;
pub use subscriber::{Signal, SubscribeError, Subscriber};
pub mod token;
