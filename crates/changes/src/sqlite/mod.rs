//! SQLite: triggers, a watch on the write-ahead log, and a lock on a file beside the database for the relay that leads.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, SqliteTransactionMode, SqlxSqliteConnector, TransactionOptions,
    TransactionTrait,
};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::Notify;

mod lock;
use lock::Lock;
mod schema;
mod triggers;
mod watch;
use watch::Watch;

use crate::dialect::Dialect;
use crate::store::Tables;
use crate::{Error, Table};

/// What is special about SQLite.
#[derive(Debug)]
pub(crate) struct Sqlite {
    options: SqliteConnectOptions,
    lock: Option<Lock>,
    /// Ends with the outbox.
    watch: Option<Watch>,
}

impl Sqlite {
    /// A connection of our own, and the rest.
    pub(crate) fn new(db: &DatabaseConnection) -> (DatabaseConnection, Self) {
        let options = (*db.get_sqlite_connection_pool().connect_options()).clone();
        // What it removes from the outbox need not survive a power cut: it would be dealt with once more.
        let options = options.synchronous(SqliteSynchronous::Normal);
        let options = options.busy_timeout(BUSY).disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(options.clone());
        let lock = Lock::beside(options.get_filename());
        (SqlxSqliteConnector::from_sqlx_sqlite_pool(pool), Self { options, lock, watch: None })
    }

    pub(crate) async fn install(&self, db: &DatabaseConnection, tables: &[Table]) -> Result<(), Error> {
        let options = TransactionOptions {
            isolation_level: None,
            access_mode: None,
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        };
        let transaction = db.begin_with_options(options).await?;
        for statement in self.plan(&transaction, tables).await? {
            transaction.execute_unprepared(&statement).await?;
        }
        Ok(transaction.commit().await?)
    }

    pub(crate) async fn plan(
        &self,
        db: &impl ConnectionTrait,
        tables: &[Table],
    ) -> Result<Vec<String>, Error> {
        let mut statements = schema::plan(db).await?;
        statements.extend(triggers::plan(db, tables).await?);
        Ok(statements)
    }

    pub(crate) async fn open(
        &mut self,
        _: &DatabaseConnection,
        signal: Arc<Notify>,
    ) -> Result<Tables, Error> {
        self.watch = Watch::start(self.options.get_filename(), signal)?;
        Ok(Tables::new(Dialect::Sqlite, None))
    }

    pub(crate) async fn lead(&self) -> Result<bool, Error> {
        self.lock.as_ref().map_or(Ok(true), Lock::take)
    }

    pub(crate) async fn resign(&self) -> Result<(), Error> {
        self.lock.as_ref().map_or(Ok(()), Lock::leave)
    }
}

/// How long a statement waits for a writer.
const BUSY: Duration = Duration::from_secs(10);
