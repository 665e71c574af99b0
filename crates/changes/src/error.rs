//! What can go wrong with an outbox.

/// Why changes cannot be noticed or handed out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database is of a kind whose changes cannot be noticed.
    #[error("changes of a {0} database cannot be noticed; DATABASE_URL must name an SQLite database")]
    Unsupported(String),
    /// A table has no primary key.
    #[error("the table {0:?} has no primary key, so its rows cannot be told apart")]
    NoKey(String),
    /// The database refused.
    #[error("the outbox cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    /// The database file cannot be watched.
    #[error("the database file cannot be watched: {0}")]
    Watch(#[from] notify::Error),
}
