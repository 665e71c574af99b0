//! Reads changes, and removes those that have been dealt with.

use futures_util::TryStreamExt;
use sea_orm::{ConnectionTrait, QueryResult, Statement, StreamTrait, Value};

use super::Store;
use crate::dialect::Dialect;
use crate::row::RawRow;
use crate::{Change, Error};

impl Store {
    pub(crate) async fn has_changes(&self) -> Result<bool, Error> {
        Ok(self.db.query_one_raw(self.statement(&self.tables.has_changes())).await?.is_some())
    }

    pub(crate) async fn batch(&self, limit: usize) -> Result<Vec<Change>, Error> {
        let rows = self.raw_batch(limit).await?;
        let mut changes = Vec::with_capacity(rows.len());
        for row in rows {
            let seq = row.seq;
            match row.read(&self.watched) {
                Ok(change) => changes.push(change),
                Err(reason) => self.set_aside(seq, &reason).await?,
            }
        }
        Ok(changes)
    }

    /// Reads row by row, and stops when it has enough: old rows may be large.
    async fn raw_batch(&self, limit: usize) -> Result<Vec<RawRow>, Error> {
        let mut stream = self.db.stream_raw(self.statement(&self.tables.batch(limit))).await?;
        let (mut rows, mut size) = (Vec::new(), 0);
        while let Some(row) = stream.try_next().await? {
            let row = raw_row(&row)?;
            size += row.size();
            rows.push(row);
            if size > BYTES {
                break;
            }
        }
        Ok(rows)
    }

    pub(crate) async fn waiting_of(&self, table: &str, limit: usize) -> Result<Vec<i64>, Error> {
        let sql = self.tables.waiting_of(&self.dialect.bound(1), limit);
        let statement =
            Statement::from_sql_and_values(self.dialect.backend(), sql, [Value::from(table.to_owned())]);
        let rows = self.db.query_all_raw(statement).await?;
        rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
    }

    pub(crate) async fn acknowledge(&self, seqs: &[i64]) -> Result<(), Error> {
        for seqs in seqs.chunks(CHUNK) {
            match self.dialect {
                // To prepare a statement that never comes again would cost the server more than to run it.
                Dialect::Mysql => self.db.execute_unprepared(&self.removal(seqs).sql).await?,
                Dialect::Postgres | Dialect::Sqlite => self.db.execute_raw(self.removal(seqs)).await?,
            };
        }
        Ok(())
    }

    /// The numbers are integers of ours: nothing in the statement comes from outside.
    fn removal(&self, seqs: &[i64]) -> Statement {
        let (outbox, list) = (&self.tables.outbox, list(seqs));
        match self.dialect {
            // One statement for all lists, so that it is prepared once.
            Dialect::Postgres => {
                let sql =
                    format!("DELETE FROM {outbox} WHERE seq = ANY (string_to_array($1, ',')::bigint[])");
                Statement::from_sql_and_values(self.dialect.backend(), sql, [Value::from(list)])
            }
            // Each row is looked up by itself: a list of numbers lets the server walk over the table if it finds that
            // cheaper, and wait for rows that a long transaction has not committed yet.
            Dialect::Mysql => {
                let rest: String =
                    seqs.iter().skip(1).map(|seq| format!(" UNION ALL SELECT {seq}")).collect();
                let first = seqs.first().copied().unwrap_or_default();
                self.statement(&format!(
                    "DELETE o FROM (SELECT {first} AS seq{rest}) AS gone STRAIGHT_JOIN {outbox} AS o \
                     FORCE INDEX (PRIMARY) ON o.seq = gone.seq"
                ))
            }
            Dialect::Sqlite => self.statement(&format!("DELETE FROM {outbox} WHERE seq IN ({list})")),
        }
    }
}

pub(super) fn list(seqs: &[i64]) -> String {
    seqs.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

fn raw_row(row: &QueryResult) -> Result<RawRow, Error> {
    Ok(RawRow {
        seq: row.try_get_by_index(0)?,
        table: row.try_get_by_index(1)?,
        operation: row.try_get_by_index(2)?,
        key: row.try_get_by_index(3)?,
        old: row.try_get_by_index(4)?,
    })
}

/// Bytes of a batch after which no more is read.
const BYTES: usize = 8 << 20;
/// Numbers in one statement.
const CHUNK: usize = 512;
