//! The outbox in a database: what is the same everywhere, and who does the rest.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tokio::sync::Notify;

mod mend;
mod read;
mod tables;
pub(crate) use tables::Tables;

use crate::dialect::Dialect;
#[cfg(feature = "mysql")]
use crate::mysql::{self, Mysql};
#[cfg(feature = "postgres")]
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::{Error, Table};

/// The outbox in a database.
#[derive(Debug)]
pub(crate) struct Store {
    /// One connection of our own, so the relay never takes one from the application's pool.
    db: DatabaseConnection,
    dialect: Dialect,
    /// The names of our tables; known once it is open.
    tables: Tables,
    instance: String,
    /// What is watched, by the name that changes carry.
    watched: HashMap<String, Table>,
    driver: Driver,
}

/// What each database does in its own way.
#[derive(Debug)]
enum Driver {
    Sqlite(Sqlite),
    #[cfg(feature = "postgres")]
    Postgres(Postgres),
    #[cfg(feature = "mysql")]
    Mysql(Mysql),
}

/// Calls the same method of whichever driver it is.
macro_rules! each {
    ($driver:expr, $name:ident => $call:expr) => {
        match $driver {
            Driver::Sqlite($name) => $call,
            #[cfg(feature = "postgres")]
            Driver::Postgres($name) => $call,
            #[cfg(feature = "mysql")]
            Driver::Mysql($name) => $call,
        }
    };
}

impl Store {
    /// Connects when it is first used.
    pub(crate) fn new(db: &DatabaseConnection, watched: &[Table]) -> Result<Self, Error> {
        if let Some(table) = watched.iter().find(|table| table.key.is_empty()) {
            return Err(Error::NoKey(table.id()));
        }
        let (db, dialect, driver) = match db.get_database_backend() {
            DbBackend::Sqlite => {
                let (own, sqlite) = Sqlite::new(db);
                (own, Dialect::Sqlite, Driver::Sqlite(sqlite))
            }
            #[cfg(feature = "postgres")]
            DbBackend::Postgres => {
                let (own, postgres) = Postgres::new(db);
                (own, Dialect::Postgres, Driver::Postgres(postgres))
            }
            #[cfg(feature = "mysql")]
            DbBackend::MySql => {
                let (own, mysql) = Mysql::new(db);
                (own, Dialect::Mysql, Driver::Mysql(mysql))
            }
            other => return Err(Error::Unsupported(format!("{other:?}"))),
        };
        let watched = watched.iter().map(|table| (table.id(), table.clone())).collect();
        let (tables, instance) = (Tables::default(), String::new());
        Ok(Self { db, dialect, tables, instance, watched, driver })
    }

    pub(crate) async fn install(&self, watched: &[Table]) -> Result<(), Error> {
        each!(&self.driver, driver => driver.install(&self.db, watched).await)
    }

    pub(crate) async fn plan(&self, watched: &[Table]) -> Result<Vec<String>, Error> {
        each!(&self.driver, driver => driver.plan(&self.db, watched).await)
    }

    /// Learns the names of our tables, and begins to notice commits.
    pub(crate) async fn open(&mut self, signal: Arc<Notify>) -> Result<(), Error> {
        self.tables = each!(&mut self.driver, driver => driver.open(&self.db, signal).await)?;
        let found = self.texts(&self.tables.instance()).await;
        let found = found.map_err(|error| Error::NotInstalled(error.to_string()))?;
        let missing = || Error::NotInstalled("it has no name".to_owned());
        self.instance = found.into_iter().next().ok_or_else(missing)?;
        Ok(())
    }

    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    pub(crate) async fn lead(&self) -> Result<bool, Error> {
        each!(&self.driver, driver => driver.lead().await)
    }

    pub(crate) async fn resign(&self) -> Result<(), Error> {
        each!(&self.driver, driver => driver.resign().await)
    }

    /// Resolves when it is worth to look again. `looks` is how often nothing was found since something was.
    pub(crate) async fn rest(
        &self,
        #[cfg_attr(
            not(any(feature = "mysql", feature = "postgres")),
            expect(unused, reason = "SQLite has a watch")
        )]
        looks: usize,
        signal: &Notify,
        poll: Duration,
    ) -> Result<(), Error> {
        match &self.driver {
            Driver::Sqlite(_) => self.rest_by_watch(signal, poll).await,
            #[cfg(feature = "postgres")]
            Driver::Postgres(postgres) => postgres.rest(looks, signal, poll).await,
            #[cfg(feature = "mysql")]
            Driver::Mysql(_) => {
                mysql::rest(looks, signal, poll).await;
                Ok(())
            }
        }
    }

    /// Called when something was found.
    pub(crate) async fn woken(&self) -> Result<(), Error> {
        match &self.driver {
            #[cfg(feature = "postgres")]
            Driver::Postgres(postgres) => postgres.woken().await,
            _ => Ok(()),
        }
    }

    /// A commit is announced before it can be seen: looks again a few times.
    async fn rest_by_watch(&self, signal: &Notify, poll: Duration) -> Result<(), Error> {
        if announced(signal, poll).await {
            for pause in LOOKS {
                if self.has_changes().await? {
                    break;
                }
                tokio::time::sleep(pause).await;
            }
        }
        Ok(())
    }

    fn statement(&self, sql: &str) -> Statement {
        Statement::from_string(self.dialect.backend(), sql)
    }

    /// The first column of each row.
    async fn texts(&self, sql: &str) -> Result<Vec<String>, Error> {
        texts(&self.db, sql).await
    }
}

/// Whether something was announced before the time was up.
pub(crate) async fn announced(signal: &Notify, pause: Duration) -> bool {
    tokio::time::timeout(pause, signal.notified()).await.is_ok()
}

/// The first column of each row.
pub(crate) async fn texts(db: &impl ConnectionTrait, sql: &str) -> Result<Vec<String>, Error> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

const LOOKS: [Duration; 6] = [
    Duration::from_micros(200),
    Duration::from_micros(800),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
];

/// How long to pause before looking again while the last change is fresh: more tend to follow, and transactions that were
/// under way while the relay was awake announce themselves to nobody.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) const LINGER: [Duration; 10] = [
    Duration::from_micros(300),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(1),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(2),
    Duration::from_millis(4),
    Duration::from_millis(8),
    Duration::from_millis(8),
];
