//! Changes that cannot be published, and what an operator does about them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait, Value,
};

use super::Store;
use super::read::list;
use crate::dialect::Dialect;
use crate::{Error, SetAside, Status};

impl Store {
    pub(crate) async fn set_aside(&self, seq: i64, reason: &str) -> Result<(), Error> {
        let condition = format!("seq = {seq}");
        let transaction = self.begin().await?;
        let copy = self.tables.copy_aside(&self.dialect.bound(1), &condition);
        let reason = [Value::from(reason.to_owned())];
        let copy = Statement::from_sql_and_values(self.dialect.backend(), copy, reason);
        transaction.execute_raw(copy).await?;
        let remove = format!("DELETE FROM {} WHERE {condition}", self.tables.outbox);
        transaction.execute_raw(self.statement(&remove)).await?;
        Ok(transaction.commit().await?)
    }

    pub(crate) async fn status(&self) -> Result<Status, Error> {
        let sql = format!(
            "SELECT (SELECT count(*) FROM {outbox}), (SELECT at_ms FROM {outbox} ORDER BY seq LIMIT 1), \
             (SELECT count(*) FROM {aside})",
            outbox = self.tables.outbox,
            aside = self.tables.set_aside
        );
        let Some(row) = self.db.query_one_raw(self.statement(&sql)).await? else {
            return Ok(Status::default());
        };
        let count = |index| -> Result<u64, Error> {
            Ok(u64::try_from(row.try_get_by_index::<i64>(index)?).unwrap_or_default())
        };
        let since: Option<i64> = row.try_get_by_index(1)?;
        Ok(Status { waiting: count(0)?, age: since.map_or(Duration::ZERO, age), set_aside: count(2)? })
    }

    pub(crate) async fn list_set_aside(&self, limit: usize) -> Result<Vec<SetAside>, Error> {
        let at = match self.dialect {
            Dialect::Sqlite => "at",
            Dialect::Postgres => "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')",
            Dialect::Mysql => "CAST(at AS CHAR)",
        };
        let rows = self.db.query_all_raw(self.statement(&self.tables.list_set_aside(at, limit))).await?;
        let read = |row: &sea_orm::QueryResult| -> Result<SetAside, Error> {
            Ok(SetAside {
                seq: row.try_get_by_index(0)?,
                table: row.try_get_by_index(1)?,
                operation: row.try_get_by_index(2)?,
                key: row.try_get_by_index(3)?,
                reason: row.try_get_by_index(4)?,
                at: row.try_get_by_index(5)?,
            })
        };
        rows.iter().map(read).collect()
    }

    pub(crate) async fn retry(&self, seqs: Option<&[i64]>) -> Result<u64, Error> {
        let condition = condition(seqs);
        let transaction = self.begin().await?;
        transaction.execute_raw(self.statement(&self.tables.copy_back(&condition))).await?;
        let removed = self.remove_aside(&transaction, &condition).await?;
        transaction.commit().await?;
        Ok(removed)
    }

    pub(crate) async fn drop_set_aside(&self, seqs: Option<&[i64]>) -> Result<u64, Error> {
        let transaction = self.begin().await?;
        let removed = self.remove_aside(&transaction, &condition(seqs)).await?;
        transaction.commit().await?;
        Ok(removed)
    }

    async fn remove_aside(&self, transaction: &DatabaseTransaction, condition: &str) -> Result<u64, Error> {
        let remove = format!("DELETE FROM {} WHERE {condition}", self.tables.set_aside);
        Ok(transaction.execute_raw(self.statement(&remove)).await?.rows_affected())
    }

    /// On SQLite with the lock first: it refuses to upgrade a transaction once somebody else has written meanwhile.
    async fn begin(&self) -> Result<DatabaseTransaction, Error> {
        let options = TransactionOptions {
            isolation_level: None,
            access_mode: None,
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        };
        Ok(self.db.begin_with_options(options).await?)
    }
}

fn condition(seqs: Option<&[i64]>) -> String {
    match seqs {
        Some([]) => "1 = 0".to_owned(),
        Some(seqs) => format!("seq IN ({})", list(seqs)),
        None => "1 = 1".to_owned(),
    }
}

/// Clocks of two machines may differ: a change from the future is new.
fn age(since_ms: i64) -> Duration {
    let since = Duration::from_millis(u64::try_from(since_ms).unwrap_or_default());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(since)
}
