//! Live resources: what happens to a row reaches everyone who shows it, and nobody else.
//!
//! `#[resource(mercure)]` publishes every change to everyone. Its other forms say who is to know, and how:
//!
//! | form | meaning |
//! |---|---|
//! | `mercure(targets = ["a-group"])` | only for those who hold one of the targets |
//! | `mercure = "object.owners"` | an expression over the row: a boolean, targets, or a map of options |
//! | `mercure(private, topics = ["@=iri(object)"], on = [create])` | options; a text that begins with `@=` is an expression |
//! | `mercure(with = Model::options)` | a function from the row and the [`Operation`] to [`Options`] |
//! | `mercure(bulk = 1000)` | beyond this number of changes at once, one update on the collection's IRI stands for all of them |
//!
//! Of a deletion those are told who would have been told of the row's last state. When the audience of a row changes, the new
//! one is told of the new state, and the old one of nothing: it keeps what it knew.
//!
//! Expressions are [CEL](https://cel.dev) over `object`, the whole row by the names of its fields, with `iri(x)`, which
//! makes the topic of `object` or of a path, and `escape(x)`, which makes a path segment of a value.

mod authorizer;
pub(crate) use authorizer::{Authorizer, CurrentUser, Denied, HubKey, UserSettings};
mod bulk;
mod config;
#[cfg(feature = "embedded-hub")]
pub(crate) use config::TRANSPORT;
pub(crate) use config::{LiveConfig, NamedHub, Target};
mod cookie;
#[cfg(feature = "embedded-hub")]
pub(crate) use cookie::default_name as default_cookie;
mod expression;
pub(crate) use expression::Scope;
mod form;
mod names;
mod options;
pub use options::{Operation, Options, Setting, Setup};
mod plan;
pub(crate) use plan::{DEFAULT_HUB, Plan};
mod publisher;
pub(crate) use publisher::HttpPublisher;
pub use publisher::{PublishFailure, Publisher};
mod relay;
pub(crate) use relay::{LiveResource, Relay};
mod render;
pub(crate) use render::Renderer;
mod row;
mod user;
pub use user::User;
mod wait;
pub(crate) use wait::{Outcome, Waiters};
