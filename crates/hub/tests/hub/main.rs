//! The hub over real sockets, by requirement of `protocol.md`.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may end by a panic, and its helpers too"
)]

/// Whether hubs serve the earlier generations too; `hub_compat` says yes.
const COMPAT: bool = false;

mod activity; // ACT: events and web API of active subscriptions
mod announcements; // ACT.1: more changes of subscriptions than the history takes
mod earlier; // requests of earlier generations of the protocol
mod generations; // who receives what across generations
mod keys; // AUTH.2: issuers, public keys, key sets
mod limits; // connection limits, hosts, lifetime, shutdown
mod overtaken; // a replay that the shard cannot continue
mod publish; // PUB: forms, topics, answers
mod reconnect; // REC: cursors, replay
mod sockets; // clients that behave in every way that clients do, each named in the design
mod streams; // both delivery paths, slow readers, shutdown
mod subscribe; // SUB: matchers, heads, CORS
mod support;
mod tls; // TLS: both protocols, the same bytes on all paths
mod tokens; // AUTH: presentation, verification, private updates
