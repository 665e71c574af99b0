//! Opens the database.

use std::path::Path;
use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};

use crate::error::{Error, Result};

/// Connects to `url`, or to a file of the application's name under `./data`.
///
/// # Errors
/// [`Error::Database`] if it cannot be opened.
pub(crate) async fn connect(url: Option<&str>, name: &str) -> Result<DatabaseConnection> {
    let url = url.map_or_else(|| format!("sqlite://./data/{name}.db?mode=rwc"), str::to_owned);
    let failed = |reason: String| Error::Database { url: shown(&url), reason };
    let mut options = ConnectOptions::new(url.clone());
    options.connect_timeout(PATIENCE).acquire_timeout(PATIENCE).sqlx_logging(false);
    match url.split(':').next().unwrap_or_default() {
        "sqlite" => {
            create_folder(&url).map_err(|error| failed(format!("its folder cannot be created: {error}")))?;
            sqlite(&mut options);
        }
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => {
            options.max_connections(CONNECTIONS);
        }
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => {
            options.max_connections(CONNECTIONS);
        }
        other => return Err(failed(unsupported(other))),
    }
    Database::connect(options).await.map_err(|error| failed(error.to_string()))
}

fn sqlite(options: &mut ConnectOptions) {
    options.max_connections(8);
    options.map_sqlx_sqlite_opts(|options| {
        options
            .journal_mode(SqliteJournalMode::Wal)
            // A committed change survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
    });
}

fn unsupported(scheme: &str) -> String {
    let feature = match scheme {
        "postgres" | "postgresql" => "postgres",
        "mysql" | "mariadb" => "mysql",
        _ => return "it begins neither with sqlite:, nor with postgres: or mysql:".to_owned(),
    };
    format!("this program was built without the feature `{feature}` of `petasos`")
}

fn create_folder(url: &str) -> std::io::Result<()> {
    let path = url.trim_start_matches("sqlite://").trim_start_matches("sqlite:");
    let path = path.split('?').next().unwrap_or_default();
    match Path::new(path).parent() {
        Some(folder) if !folder.as_os_str().is_empty() && path != ":memory:" => {
            std::fs::create_dir_all(folder)
        }
        _ => Ok(()),
    }
}

/// Credentials never reach a terminal or a log.
fn shown(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://***@{host}"),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}

/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections to a server.
#[cfg(any(feature = "mysql", feature = "postgres"))]
const CONNECTIONS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_shown() {
        assert_eq!(shown("postgres://me:secret@host/db"), "postgres://***@host/db");
        assert_eq!(shown("sqlite://./x.db"), "sqlite://./x.db");
    }
}
