//! Why an application cannot start or go on: one line with the cause and the remedy.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// What `main` may return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an application cannot start or go on. Printed for debugging it reads the same: that is what a `main` that returns it
/// shows.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An environment variable has a value that cannot be used.
    #[error("{name} cannot be used: {problem}; an example is {example}")]
    Variable {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
        /// A value that would do.
        example: String,
    },
    /// The address is taken or is not ours.
    #[error("cannot listen on {address}: {reason}; set PETASOS_LISTEN to another address, for example 127.0.0.1:{other}", other = address.port().wrapping_add(1))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// The database cannot be opened.
    #[error(
        "cannot open the database of DATABASE_URL ({url}): {reason}; an example is sqlite://./data/books.db?mode=rwc"
    )]
    Database {
        /// The URL, without credentials.
        url: String,
        /// What the driver says.
        reason: String,
    },
    /// The outbox cannot be installed.
    #[error(transparent)]
    Outbox(#[from] petasos_changes::Error),
    /// The hub inside the program, or the client of another one, cannot start.
    #[error("the hub cannot be used: {0}")]
    Hub(String),
    /// What `#[resource(mercure)]` says cannot be done.
    #[error("the resource {resource} cannot be live: {problem}")]
    Live {
        /// Name of the resource.
        resource: &'static str,
        /// The option and what is wrong with it.
        problem: String,
    },
    /// A table cannot be created.
    #[error("the table of the resource {resource} cannot be created: {reason}")]
    Table {
        /// Name of the resource.
        resource: &'static str,
        /// What the database says.
        reason: String,
    },
    /// Serving ended by an error.
    #[error("cannot go on serving: {0}")]
    Serve(#[source] io::Error),
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    pub(crate) fn variable(name: impl Into<String>, problem: impl Into<String>, example: &str) -> Self {
        Self::Variable { name: name.into(), problem: problem.into(), example: example.to_owned() }
    }

    pub(crate) fn listen(address: SocketAddr, error: &io::Error) -> Self {
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => "the address is in use by another program".to_owned(),
            _ => error.to_string(),
        };
        Self::Listen { address, reason }
    }
}
