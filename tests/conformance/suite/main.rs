//! The suite, by requirement of the protocol; `docs/conformance.md` says which test shows which.

#![expect(clippy::unwrap_used, reason = "a test may end by a panic, and its helpers too")]

mod abuse; // requests that nobody in their right mind sends
mod act; // ACT: events and web API of active subscriptions
mod auth; // AUTH: presentation, validation, private updates
mod clients; // a browser and other people's clients
mod dec; // decisions where the draft leaves room
mod dis; // DIS: discovery
mod earlier; // clients of the earlier generations of the protocol
mod extra; // what Petasos adds to the protocol
mod publish; // PUB: forms, topics, answers
mod rec; // REC: cursors, replay
mod sub; // SUB: matchers, heads, limits
