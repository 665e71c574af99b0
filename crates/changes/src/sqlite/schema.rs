//! The tables of the outbox.

use sqlx::sqlite::SqliteConnection;

use crate::Error;

/// Creates what is missing.
pub(crate) async fn create(connection: &mut SqliteConnection) -> Result<(), Error> {
    for statement in TABLES {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(())
}

/// `AUTOINCREMENT` never gives a number twice, even after the row is gone: event ids are made of it. Old rows are arrays of
/// objects, because the `sqlite3` program calls functions with at most 127 arguments.
const TABLES: [&str; 5] = [
    "CREATE TABLE IF NOT EXISTS petasos_outbox (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, operation TEXT NOT NULL, key TEXT NOT NULL, old TEXT)",
    "CREATE TABLE IF NOT EXISTS petasos_set_aside (
        seq INTEGER PRIMARY KEY, tbl TEXT NOT NULL, operation TEXT NOT NULL, key TEXT NOT NULL, old TEXT,
        reason TEXT NOT NULL, at TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS petasos_relay (
        id INTEGER PRIMARY KEY CHECK (id = 1), holder TEXT NOT NULL, until_ms INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS petasos_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "INSERT OR IGNORE INTO petasos_meta VALUES ('instance', lower(hex(randomblob(16))))",
];
