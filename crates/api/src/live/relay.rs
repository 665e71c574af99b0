//! The relay: from rows that changed to updates.
//!
//! Invariants:
//! - a change leaves the outbox only when the hub has acknowledged its update, or when it was set aside with a reason;
//! - the updates of one row are published in the order of its changes, the last state last;
//! - repetitions carry the same event id and the same idempotency key, which are made of the outbox's name and number;
//! - a change that can never be published does not hold back the others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use petasos_changes::{Merged, Operation, Outbox, merge};
use petasos_protocol::{EventId, Topic, Update};
use sea_orm::DatabaseConnection;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use uuid::{Builder, Uuid};

use super::{PublishFailure, Publisher};
use crate::jsonld;
use crate::resource::{ErasedResource, StoreError};

/// Takes changes from the outbox and publishes them.
pub(crate) struct Relay {
    pub(crate) outbox: Outbox,
    pub(crate) db: DatabaseConnection,
    /// The public URL of the API, without a final slash: topics begin with it.
    pub(crate) base: String,
    /// By table.
    pub(crate) resources: HashMap<String, Arc<dyn ErasedResource>>,
    pub(crate) publisher: Arc<dyn Publisher>,
    /// The first pause after a failure; it doubles up to a hundred times this.
    pub(crate) pause: Duration,
}

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    Outbox(#[from] petasos_changes::Error),
    #[error("another process has taken over")]
    Superseded,
}

/// What a row comes to.
enum Rendered {
    Update(Box<Update>),
    /// The row has gone since; a later change says so.
    Nothing,
    /// It can never be published.
    Broken(String),
}

impl Relay {
    /// Works until `stop` says so.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut failures = 0;
        loop {
            let round = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                round = self.round() => round,
            };
            failures = match round {
                Ok(()) => 0,
                Err(error) => {
                    if failures == 0 {
                        tracing::error!(%error, "changes are not published for now; trying again");
                    }
                    failures + 1
                }
            };
            if failures > 0 {
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => break,
                    () = tokio::time::sleep(self.pause_after(failures)) => {}
                }
            }
        }
        if let Err(error) = self.outbox.resign().await {
            tracing::debug!(%error, "the relay's lease ends by itself");
        }
    }

    /// Publishes one batch, once there is one.
    async fn round(&self) -> Result<(), Interrupted> {
        self.outbox.wait().await?;
        if !self.outbox.lead(now(), LEASE).await? {
            // Another process relays; it may end at any time.
            tokio::time::sleep(FOLLOW).await;
            return Ok(());
        }
        let mut led = Instant::now();
        let mut done = Vec::new();
        for row in merge(self.outbox.batch(BATCH).await?) {
            if led.elapsed() > LEASE / 3 {
                self.outbox.acknowledge(&std::mem::take(&mut done)).await?;
                self.keep_lead().await?;
                led = Instant::now();
            }
            if self.relay(&row).await? {
                done.extend(row.seqs);
            }
        }
        self.outbox.acknowledge(&done).await?;
        Ok(())
    }

    /// Deals with one row; `false` if it was set aside.
    async fn relay(&self, row: &Merged) -> Result<bool, Interrupted> {
        let reason = match self.render(row).await {
            Rendered::Nothing => return Ok(true),
            Rendered::Broken(reason) => reason,
            Rendered::Update(update) => match self.publish(&update).await? {
                Ok(()) => return Ok(true),
                Err(reason) => reason,
            },
        };
        tracing::warn!(table = row.table, key = ?row.key, reason, "a change was set aside");
        for seq in &row.seqs {
            self.outbox.set_aside(*seq, &reason).await?;
        }
        Ok(false)
    }

    /// Publishes, for as long as it takes; the inner error is a refusal.
    async fn publish(&self, update: &Update) -> Result<Result<(), String>, Interrupted> {
        let key = update.id().map(EventId::as_str).unwrap_or_default();
        let mut failures = 0;
        loop {
            match self.publisher.publish(update, key).await {
                Ok(()) => {
                    if failures > 0 {
                        tracing::info!(failures, "the hub takes updates again");
                    }
                    return Ok(Ok(()));
                }
                Err(PublishFailure::Refused(reason)) => return Ok(Err(reason)),
                Err(PublishFailure::Unavailable(reason)) => {
                    if failures == 0 {
                        tracing::error!(reason, "changes wait until the hub takes updates");
                    }
                    failures += 1;
                    tokio::time::sleep(self.pause_after(failures)).await;
                    self.keep_lead().await?;
                }
            }
        }
    }

    async fn keep_lead(&self) -> Result<(), Interrupted> {
        if self.outbox.lead(now(), LEASE).await? { Ok(()) } else { Err(Interrupted::Superseded) }
    }

    async fn render(&self, row: &Merged) -> Rendered {
        let Some(operation) = row.operation else { return Rendered::Nothing };
        let Some(resource) = self.resources.get(&row.table) else {
            return Rendered::Broken(format!("no resource is made of the table {:?}", row.table));
        };
        let Some(id) = resource.changed_id(&row.key) else {
            return Rendered::Broken("the key of the row is not the key of the resource".to_owned());
        };
        let iri = jsonld::iri(resource.info(), &id);
        let data = if operation == Operation::Delete {
            json!({"@id": iri})
        } else {
            match self.load(&**resource, &id).await {
                Ok(Some(row)) => jsonld::item(&**resource, row),
                Ok(None) => return Rendered::Nothing,
                Err(error) => return Rendered::Broken(error.to_string()),
            }
        };
        match self.update(&iri, data.to_string(), row.last_seq()) {
            Ok(update) => Rendered::Update(Box::new(update)),
            Err(reason) => Rendered::Broken(reason),
        }
    }

    /// Loads the row as it is now. A busy database is waited for.
    async fn load(
        &self,
        resource: &dyn ErasedResource,
        id: &str,
    ) -> Result<Option<crate::resource::Item>, StoreError> {
        let Some(key) = resource.key(id) else {
            return Err(StoreError::Failed(format!("{id:?} is not a key of the resource")));
        };
        loop {
            match resource.find(&self.db, &key).await {
                Err(StoreError::Busy(_)) => tokio::time::sleep(self.pause).await,
                result => return result,
            }
        }
    }

    fn update(&self, iri: &str, data: String, seq: i64) -> Result<Update, String> {
        let topic = Topic::new(&format!("{}{iri}", self.base)).map_err(|error| error.to_string())?;
        let id = event_id(self.outbox.instance(), seq).urn().to_string();
        let id = EventId::new(&id).map_err(|error| error.to_string())?;
        Ok(Update::new(topic).with_data(data).with_id(id))
    }

    /// Doubles, and varies by half of itself, so that many processes do not come back together.
    fn pause_after(&self, failures: u32) -> Duration {
        let pause = self.pause * 2u32.saturating_pow(failures.min(8) - 1).min(100);
        let random = u32::from(Uuid::new_v4().as_bytes()[0]);
        pause / 2 + pause / 2 * random / 255
    }
}

/// The same change always gets the same id.
fn event_id(instance: &str, seq: i64) -> Uuid {
    let digest = Sha256::digest(format!("{instance}:{seq}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// A clock before 1970 reads as 0: the lease is then taken over at once, which is harmless.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

const BATCH: usize = 256;
const LEASE: Duration = Duration::from_secs(10);
const FOLLOW: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_change_is_always_the_same_and_of_no_other() {
        assert_eq!(event_id("a", 1), event_id("a", 1));
        assert_ne!(event_id("a", 1), event_id("a", 2));
        assert_ne!(event_id("a", 1), event_id("b", 1));
        assert_eq!(event_id("a", 1).get_version_num(), 8);
    }
}
