//! The Mercure protocol as values and bytes, without I/O.
//!
//! Everything here takes bytes or values and returns bytes or values: no sockets, no clock, no randomness, no logging, and no
//! panic whatever a stranger sends. The hub, the client and the API layer are built on it.
//!
//! - [`Update`] is what is published; [`parse_publish`] and [`encode_publish`] are its form.
//! - [`Matcher`] selects topics; [`parse_subscribe`] reads the matchers of a subscription.
//! - [`sse`] writes and reads event streams; [`token`] reads what an access token grants; [`link`] announces and finds hubs.
//!
//! ```
//! use petasos_protocol::{HubUrl, Matcher, PublishLimits, TopicView, parse_publish};
//!
//! let hub = HubUrl::parse("https://example.com/.well-known/mercure")?;
//! let update = parse_publish(b"topic=https://example.com/books/1&data=%7B%7D", &hub, &PublishLimits::default())?;
//! let matcher = Matcher::url_pattern("/books/:id", &hub)?;
//! assert!(matcher.matches(&TopicView::new(update.canonical().as_str(), &hub)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

pub mod compat;
mod form;
mod hub_url;
pub use hub_url::{HubUrl, HubUrlError};
pub mod link;
mod matcher;
pub use matcher::{MatchType, Matcher, MatcherError, MatcherKind};
pub mod metadata;
mod pattern;
pub use pattern::{Pattern, PatternError};
mod publish;
pub use publish::{PublishFormError, PublishLimits, encode_publish, parse_publish};
pub mod sse;
mod subscribe;
pub use subscribe::{Cursor, Subscribe, SubscribeError, SubscribeLimits, parse_subscribe};
mod subscription;
pub use subscription::{SubscriptionDocument, SubscriptionPath, SubscriptionsDocument};
mod text;
pub use text::ForbiddenChar;
pub mod token;
mod topic;
pub use topic::{Topic, TopicError, TopicView};
mod update;
pub use update::{EventId, EventIdError, EventType, EventTypeError, Update};
