//! MariaDB and MySQL: triggers, a lock of the server for the relay that leads, and a short poll.
//!
//! These servers have no way to wake another session, so a change of another program is found by the next look. A lock
//! belongs to a session, which is the only connection of the pool: if it is replaced, the lead was lost with it.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, SqlxMySqlConnector, Statement};
use sqlx::ConnectOptions;
use sqlx::mysql::MySqlPoolOptions;
use tokio::sync::Notify;

mod catalogue;
mod install;
mod rows;
mod triggers;

use crate::dialect::{Dialect, short_hash};
use crate::store::{LINGER, Tables, announced, texts};
use crate::{Error, Table};

/// What is special about MariaDB and MySQL.
#[derive(Debug)]
pub(crate) struct Mysql {
    own: DatabaseConnection,
    /// The database that the outbox is in; known once it is open.
    database: String,
}

impl Mysql {
    /// A connection of our own, and the rest.
    pub(crate) fn new(db: &DatabaseConnection) -> (DatabaseConnection, Self) {
        let options = (*db.get_mysql_connection_pool().connect_options()).clone();
        let pool = MySqlPoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(10))
            .connect_lazy_with(options.disable_statement_logging());
        let own = SqlxMySqlConnector::from_sqlx_mysql_pool(pool);
        (own.clone(), Self { own, database: String::new() })
    }

    /// Processes that start at once do it one behind the other, and all but the first find nothing left to do. The server
    /// commits after each statement: what replaces something is created before that is dropped.
    pub(crate) async fn install(&self, db: &DatabaseConnection, tables: &[Table]) -> Result<(), Error> {
        let lock = Dialect::Mysql.text(&lock("install", &install::database(db).await?));
        if ask(db, &format!("SELECT GET_LOCK({lock}, 60)")).await? != Some(1) {
            return Err(Error::Database("another process has been installing for a minute".to_owned()));
        }
        let installed = run(db, tables).await;
        ask(db, &format!("SELECT RELEASE_LOCK({lock})")).await?;
        installed
    }

    pub(crate) async fn plan(&self, db: &DatabaseConnection, tables: &[Table]) -> Result<Vec<String>, Error> {
        install::plan(db, tables).await
    }

    pub(crate) async fn open(&mut self, db: &DatabaseConnection, _: Arc<Notify>) -> Result<Tables, Error> {
        self.database = install::database(db).await?;
        let tables = Tables::new(Dialect::Mysql, Some(&self.database));
        if texts(db, &tables.instance()).await.is_err() {
            return Err(Error::NotInstalled(format!("the database {:?} has no outbox", self.database)));
        }
        Ok(tables)
    }

    pub(crate) async fn lead(&self) -> Result<bool, Error> {
        let lock = Dialect::Mysql.text(&lock("lead", &self.database));
        // Taken twice, it would have to be released twice.
        let sql = format!("SELECT IF(IS_USED_LOCK({lock}) <=> CONNECTION_ID(), 1, GET_LOCK({lock}, 0))");
        Ok(ask(&self.own, &sql).await? == Some(1))
    }

    pub(crate) async fn resign(&self) -> Result<(), Error> {
        let lock = Dialect::Mysql.text(&lock("lead", &self.database));
        ask(&self.own, &format!("SELECT RELEASE_LOCK({lock})")).await?;
        Ok(())
    }
}

/// Resolves when it is worth to look again.
pub(crate) async fn rest(looks: usize, signal: &Notify, poll: Duration) {
    announced(signal, LINGER.get(looks).copied().unwrap_or(poll.min(POLL))).await;
}

async fn run(db: &DatabaseConnection, tables: &[Table]) -> Result<(), Error> {
    for statement in install::plan(db, tables).await? {
        db.execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// Locks are the server's, not the database's, and their names are short.
fn lock(purpose: &str, database: &str) -> String {
    format!("petasos_{purpose}_{}", short_hash(database))
}

async fn ask(db: &DatabaseConnection, sql: &str) -> Result<Option<i64>, Error> {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.flatten())
}

/// Nothing announces what other programs commit.
const POLL: Duration = Duration::from_millis(50);
