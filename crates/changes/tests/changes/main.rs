//! Changes of real databases are noticed.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test may end by a panic, and its helpers too"
)]

mod mysql; // a private MariaDB server
mod postgres; // a private PostgreSQL server
mod sqlite; // files, and the sqlite3 program as another writer
