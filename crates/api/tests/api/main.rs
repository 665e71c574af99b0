//! The API layer on real sockets and a real SQLite file, with two entities derived as a user would.
#![expect(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic, and its helpers too")]

mod documents; // entrypoint, documentation, contexts, lists
mod entities;
#[macro_use]
mod forms; // a resource for each form of `mercure`
mod errors; // what clients do wrong
mod live; // what the program itself writes reaches subscribers
mod mercure; // what each form publishes
mod support;
mod users; // who receives what is private
