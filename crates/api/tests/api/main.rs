//! The API layer on real sockets and a real SQLite file, with two entities derived as a user would.
#![expect(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic, and its helpers too")]

mod documents; // entrypoint, documentation, contexts, lists
mod entities;
#[macro_use]
mod forms; // a resource for each form of `mercure`
mod errors; // what clients do wrong
mod keys; // keys of all kinds, and values of all types
mod links; // what responses say of the hub
mod live; // what the program itself writes reaches subscribers
mod mercure; // what each form publishes
mod outbox; // many rows at once, metrics, migrations
mod reference; // the page of the handbook about variables
mod schemas; // tables in other schemas
mod support;
mod users; // who receives what is private
mod writers; // whoever writes, and in whatever way

// The same on private servers; a test asks its module's name which one.
#[expect(clippy::duplicate_mod, reason = "the same tests on other databases")]
#[path = "keys.rs"]
mod keys_on_mariadb;
#[expect(clippy::duplicate_mod, reason = "the same tests on other databases")]
#[path = "keys.rs"]
mod keys_on_postgres;
#[expect(clippy::duplicate_mod, reason = "the same tests on other databases")]
#[path = "mercure.rs"]
mod mercure_on_mariadb;
#[expect(clippy::duplicate_mod, reason = "the same tests on other databases")]
#[path = "mercure.rs"]
mod mercure_on_postgres;
#[expect(clippy::duplicate_mod, reason = "the same tests on other databases")]
#[path = "outbox.rs"]
mod outbox_on_mariadb;
#[expect(clippy::duplicate_mod, reason = "the same tests on other databases")]
#[path = "outbox.rs"]
mod outbox_on_postgres;
#[expect(clippy::duplicate_mod, reason = "the same tests on other databases")]
#[path = "writers.rs"]
mod writers_on_mariadb;
#[expect(clippy::duplicate_mod, reason = "the same tests on other databases")]
#[path = "writers.rs"]
mod writers_on_postgres;
