//! What can go wrong with an outbox.

use sea_orm::DbErr;

/// Why changes cannot be noticed or handed out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database is of a kind whose changes cannot be noticed.
    #[error(
        "changes of {0} cannot be noticed by this program; DATABASE_URL must name an SQLite database, or the program must be built with the feature `postgres` or `mysql` of `petasos`"
    )]
    Unsupported(String),
    /// The server is too old.
    #[error("the database server is {found}; changes can be noticed from {needed} on")]
    TooOld {
        /// What it says of itself.
        found: String,
        /// What would do.
        needed: &'static str,
    },
    /// A table has no primary key.
    #[error("the table {0:?} has no primary key, so its rows cannot be told apart")]
    NoKey(String),
    /// A table is not there.
    #[error("the table {0:?} does not exist: create it before the application starts")]
    NoTable(String),
    /// A column is not there.
    #[error("the table {table:?} has no column {column:?}: run the migrations before the application starts")]
    NoColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Rows are changed by a foreign key in a way that no trigger can see.
    #[error(
        "the rows of {table:?} are changed by the foreign key {constraint:?} where triggers do not see it ({reason}): give it RESTRICT, and delete or change the rows by statements of their own"
    )]
    Cascade {
        /// The table whose rows are changed.
        table: String,
        /// The foreign key.
        constraint: String,
        /// Why it cannot be helped.
        reason: &'static str,
    },
    /// The outbox or a trigger is missing or of another version.
    #[error("the outbox is not installed as this program needs it: {0}")]
    NotInstalled(String),
    /// The database refused.
    #[error("the outbox cannot be used: {0}")]
    Database(String),
    /// The database file cannot be watched.
    #[error("the database file cannot be watched: {0}")]
    Watch(#[from] notify::Error),
    /// The file that shows which process relays cannot be used.
    #[error("the file {path} cannot be used: {reason}")]
    Lock {
        /// Where it is.
        path: String,
        /// What the system says.
        reason: String,
    },
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Database(error.to_string())
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.to_string())
    }
}
