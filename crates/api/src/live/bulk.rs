//! Many rows at once: they are loaded together, and a resource may announce its collection instead of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use petasos_changes::{Merged, Operation};

use super::options::Options;
use super::relay::{Interrupted, LiveResource, Relay};
use super::wait::{Outcome, Waiting};
use crate::resource::LiveRow;

impl Relay {
    /// The rows as they are now, as far as they are worth to be loaded together and can be read.
    pub(super) async fn load(&self, rows: &[Merged]) -> Vec<Option<LiveRow<'_>>> {
        let mut by_table: HashMap<&str, HashMap<String, LiveRow<'_>>> = HashMap::new();
        let tables: BTreeSet<&str> = rows.iter().map(|row| row.table.as_str()).collect();
        for table in tables {
            let Some(LiveResource { resource, .. }) = self.resources.get(table) else { continue };
            let ask = |row: &Merged| {
                let operation = Some(row.operation).filter(|operation| *operation != Operation::Delete)?;
                let id = resource.changed_id(&row.key)?;
                let key = resource.key(&id)?;
                Some((id, key, operation))
            };
            let asked: Vec<_> = rows.iter().filter(|row| row.table == table).filter_map(ask).collect();
            if asked.len() > 1 {
                // Whatever is wrong is found again when each row is loaded by itself.
                match resource.find_rows(&self.renderer.db, asked).await {
                    Ok(found) => drop(by_table.insert(table, found)),
                    Err(error) => tracing::debug!(%error, table, "rows are loaded one by one"),
                }
            }
        }
        let mut take = |row: &Merged| by_table.get_mut(row.table.as_str())?.remove(&self.id_of(row)?);
        let is_there = |row: &Merged| row.operation != Operation::Delete;
        rows.iter().map(|row| if is_there(row) { take(row) } else { None }).collect()
    }

    /// Announces the collections of which too many rows have changed, once each; the rows of all others are left.
    pub(super) async fn announce_collections(
        &self,
        mut rows: Vec<Merged>,
        is_last: bool,
        waiting: &Mutex<Waiting<'_>>,
    ) -> Result<Vec<Merged>, Interrupted> {
        let tables: BTreeSet<String> = rows.iter().map(|row| row.table.clone()).collect();
        for table in tables {
            let bulk = self.resources.get(&table).and_then(|live| live.plan.bulk());
            let Some((limit, options)) = bulk else { continue };
            let here = rows.iter().filter(|row| row.table == table).map(|row| row.seqs.len()).sum::<usize>();
            if (is_last && here <= limit) || !self.announce_collection(&table, limit, &options).await? {
                continue;
            }
            for row in rows.extract_if(.., |row| row.table == table) {
                let id = self.id_of(&row).unwrap_or_default();
                super::relay::lock(waiting).tell(&table, &id, Outcome::Acknowledged);
            }
        }
        Ok(rows)
    }

    /// `false` if there are not so many changes after all. What is committed later is announced by itself.
    async fn announce_collection(
        &self,
        table: &str,
        limit: usize,
        options: &Options,
    ) -> Result<bool, Interrupted> {
        let Some(LiveResource { resource, .. }) = self.resources.get(table) else { return Ok(false) };
        let seqs = self.outbox.waiting_of(table, MOST.max(limit.saturating_add(1))).await?;
        let Some(last) = seqs.last().filter(|_| seqs.len() > limit) else { return Ok(false) };
        let id = super::relay::event_id(self.outbox.instance(), *last).urn().to_string();
        let path = resource.info().path;
        let published = match self.renderer.collection(path, options, id) {
            Ok(outgoing) => self.publish(&outgoing).await?,
            Err(reason) => Err(reason),
        };
        if let Err(reason) = published {
            tracing::warn!(
                table,
                reason,
                "a collection cannot be announced: its rows are published one by one"
            );
            return Ok(false);
        }
        self.outbox.acknowledge(&seqs).await?;
        Ok(true)
    }
}

/// Changes that one announcement stands for at most: their numbers are in memory meanwhile.
const MOST: usize = 1_000_000;
