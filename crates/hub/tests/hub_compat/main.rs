//! The same tests on hubs that serve the earlier generations of the protocol too: requests of 1.0 are judged as before.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may end by a panic, and its helpers too"
)]

/// Whether hubs serve the earlier generations too.
const COMPAT: bool = true;

#[path = "../hub/activity.rs"]
mod activity;
#[path = "../hub/keys.rs"]
mod keys;
#[path = "../hub/limits.rs"]
mod limits;
#[path = "../hub/publish.rs"]
mod publish;
#[path = "../hub/reconnect.rs"]
mod reconnect;
#[path = "../hub/sockets.rs"]
mod sockets;
#[path = "../hub/streams.rs"]
mod streams;
#[path = "../hub/subscribe.rs"]
mod subscribe;
#[path = "../hub/support.rs"]
mod support;
#[path = "../hub/tokens.rs"]
mod tokens;
