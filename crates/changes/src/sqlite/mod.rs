//! SQLite: one connection of our own, triggers, and a watch on the write-ahead log.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use tokio::sync::{Mutex, Notify};

mod schema;
mod triggers;
mod watch;
use watch::Watch;

use crate::{Change, Error, Operation, Table};

/// The outbox in an SQLite database.
#[derive(Debug)]
pub(crate) struct Sqlite {
    /// Everything goes through one connection, so the relay never takes one from the application's pool.
    connection: Mutex<SqliteConnection>,
    instance: String,
    /// Distinguishes this relay from those of other processes.
    holder: String,
    /// Ends with the outbox.
    _watch: Option<Watch>,
}

impl Sqlite {
    pub(crate) async fn open(
        options: &SqliteConnectOptions,
        tables: &[Table],
        signal: Arc<Notify>,
    ) -> Result<Self, Error> {
        let mut connection = options.clone().busy_timeout(BUSY).disable_statement_logging().connect().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        schema::create(&mut transaction).await?;
        triggers::install(&mut transaction, tables).await?;
        let instance = sqlx::query_scalar("SELECT value FROM petasos_meta WHERE name = 'instance'");
        let instance = instance.fetch_one(&mut *transaction).await?;
        let holder =
            sqlx::query_scalar("SELECT lower(hex(randomblob(16)))").fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        let watch = Watch::start(options.get_filename(), signal)?;
        Ok(Self { connection: Mutex::new(connection), instance, holder, _watch: watch })
    }

    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    pub(crate) async fn has_changes(&self) -> Result<bool, Error> {
        let found = sqlx::query_scalar::<_, i64>("SELECT EXISTS (SELECT 1 FROM petasos_outbox)");
        Ok(found.fetch_one(&mut *self.connection.lock().await).await? == 1)
    }

    pub(crate) async fn batch(&self, limit: usize) -> Result<Vec<Change>, Error> {
        let rows =
            sqlx::query("SELECT seq, tbl, operation, key, old FROM petasos_outbox ORDER BY seq LIMIT ?")
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&mut *self.connection.lock().await)
                .await?;
        let mut changes = Vec::with_capacity(rows.len());
        for row in &rows {
            match change(row)? {
                Ok(change) => changes.push(change),
                Err((seq, reason)) => self.set_aside(seq, &reason).await?,
            }
        }
        Ok(changes)
    }

    pub(crate) async fn acknowledge(&self, seqs: &[i64]) -> Result<(), Error> {
        // The numbers are integers of ours: nothing in the statement comes from outside.
        let list = seqs.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        let statement = format!("DELETE FROM petasos_outbox WHERE seq IN ({list})");
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *self.connection.lock().await).await?;
        Ok(())
    }

    pub(crate) async fn set_aside(&self, seq: i64, reason: &str) -> Result<(), Error> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let copy = "INSERT OR REPLACE INTO petasos_set_aside (seq, tbl, operation, key, old, reason, at) \
                    SELECT seq, tbl, operation, key, old, ?, datetime('now') FROM petasos_outbox WHERE seq = ?";
        sqlx::query(copy).bind(reason).bind(seq).execute(&mut *transaction).await?;
        sqlx::query("DELETE FROM petasos_outbox WHERE seq = ?").bind(seq).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    pub(crate) async fn depth(&self) -> Result<u64, Error> {
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM petasos_outbox");
        let count = count.fetch_one(&mut *self.connection.lock().await).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    pub(crate) async fn lead(&self, now: Duration, lease: Duration) -> Result<bool, Error> {
        let (now_ms, until_ms) = (millis(now), millis(now + lease));
        let take = "INSERT INTO petasos_relay (id, holder, until_ms) VALUES (1, ?1, ?2) ON CONFLICT (id) DO UPDATE \
                    SET holder = ?1, until_ms = ?2 WHERE holder = ?1 OR until_ms <= ?3";
        let result = sqlx::query(take).bind(&self.holder).bind(until_ms).bind(now_ms);
        Ok(result.execute(&mut *self.connection.lock().await).await?.rows_affected() == 1)
    }

    pub(crate) async fn resign(&self) -> Result<(), Error> {
        let leave = sqlx::query("DELETE FROM petasos_relay WHERE holder = ?").bind(&self.holder);
        leave.execute(&mut *self.connection.lock().await).await?;
        Ok(())
    }
}

/// Reads a row of the outbox; the inner error is a row that nobody will ever be able to read.
fn change(row: &SqliteRow) -> Result<Result<Change, (i64, String)>, Error> {
    let seq: i64 = row.try_get("seq")?;
    let operation: String = row.try_get("operation")?;
    let Some(operation) = Operation::from_name(&operation) else {
        return Ok(Err((seq, format!("the operation {operation:?} is unknown"))));
    };
    let key: String = row.try_get("key")?;
    let old: Option<String> = row.try_get("old")?;
    let read = || -> Result<_, serde_json::Error> {
        let old = old.map(|old| serde_json::from_str::<Vec<Map<String, Value>>>(&old)).transpose()?;
        Ok((serde_json::from_str(&key)?, old.map(|pieces| pieces.into_iter().flatten().collect())))
    };
    Ok(match read() {
        Ok((key, old)) => Ok(Change { seq, table: row.try_get("tbl")?, operation, key, old }),
        Err(error) => Err((seq, format!("the row cannot be read: {error}"))),
    })
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// How long a statement waits for a writer.
const BUSY: Duration = Duration::from_secs(10);
