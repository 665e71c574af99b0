//! PostgreSQL: triggers, and a session that holds two advisory locks.
//!
//! One lock shows which process leads: the server releases it when the session ends, however the process ends. The other one
//! is held while the relay is awake, and a trigger sends a notification only while it is free: to notify takes a lock over
//! the whole server at commit, which would let one writer commit at a time.
//!
//! Invariant: only the relay that leads takes the second lock. Otherwise one that follows could silence the notifications
//! of the one that leads.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, SqlxPostgresConnector, TransactionTrait};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Executor};
use tokio::sync::Notify;

mod install;
mod session;
use session::Session;
mod triggers;

use crate::dialect::Dialect;
use crate::store::{LINGER, Tables, announced, texts};
use crate::{Error, Table};

/// What is special about PostgreSQL.
#[derive(Debug)]
pub(crate) struct Postgres {
    options: PgConnectOptions,
    /// Known once it is open.
    session: Option<Session>,
}

impl Postgres {
    /// A connection of our own, and the rest.
    pub(crate) fn new(db: &DatabaseConnection) -> (DatabaseConnection, Self) {
        let options = (*db.get_postgres_connection_pool().connect_options()).clone();
        let options = options.disable_statement_logging();
        let own = SqlxPostgresConnector::from_sqlx_postgres_pool(one(&options));
        (own, Self { options, session: None })
    }

    pub(crate) async fn install(&self, db: &DatabaseConnection, tables: &[Table]) -> Result<(), Error> {
        let transaction = db.begin().await?;
        let place = install::Place::find(&transaction).await?;
        // Processes that start at once do it one behind the other, and all but the first find nothing left to do.
        transaction.execute_unprepared("SET LOCAL lock_timeout = '60s'").await?;
        transaction.execute_unprepared("SET LOCAL synchronous_commit = on").await?;
        transaction
            .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({})", place.locks.install))
            .await?;
        for statement in install::plan(&transaction, &place, tables).await? {
            transaction.execute_unprepared(&statement).await?;
        }
        Ok(transaction.commit().await?)
    }

    pub(crate) async fn plan(&self, db: &DatabaseConnection, tables: &[Table]) -> Result<Vec<String>, Error> {
        let place = install::Place::find(db).await?;
        install::plan(db, &place, tables).await
    }

    pub(crate) async fn open(&mut self, db: &DatabaseConnection, _: Arc<Notify>) -> Result<Tables, Error> {
        let place = install::Place::find(db).await?;
        let present = texts(db, &format!("SELECT to_regclass('{}')::text", place.tables().outbox)).await;
        if present.is_err() {
            return Err(Error::NotInstalled(format!("the schema {:?} has no outbox", place.schema)));
        }
        self.session = Some(Session::new(one(&self.options), &place));
        Ok(Tables::new(Dialect::Postgres, Some(&place.schema)))
    }

    pub(crate) async fn lead(&self) -> Result<bool, Error> {
        self.session()?.lead().await
    }

    pub(crate) async fn resign(&self) -> Result<(), Error> {
        self.session()?.close().await;
        Ok(())
    }

    pub(crate) async fn woken(&self) -> Result<(), Error> {
        self.session()?.stay_awake().await
    }

    pub(crate) async fn rest(&self, looks: usize, signal: &Notify, poll: Duration) -> Result<(), Error> {
        let session = self.session()?;
        match LINGER.get(looks) {
            Some(pause) => {
                announced(signal, *pause).await;
                Ok(())
            }
            // What was committed before the lock was free has to be looked for once.
            None if session.fall_asleep().await? => Ok(()),
            None => {
                tokio::select! {
                    heard = session.listen() => heard,
                    _ = announced(signal, poll) => Ok(()),
                }
            }
        }
    }

    fn session(&self) -> Result<&Session, Error> {
        self.session.as_ref().ok_or_else(|| Error::NotInstalled("it is not open".to_owned()))
    }
}

/// A pool of one connection that is never replaced while it works.
fn one(options: &PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // What it removes from the outbox need not survive a crash of the server: it would be dealt with once more.
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute("SET synchronous_commit = off").await?;
                Ok(())
            })
        })
        .acquire_timeout(Duration::from_secs(10))
        .connect_lazy_with(options.clone())
}
