//! The relay: from rows that changed to updates.
//!
//! Invariants:
//! - a change leaves the outbox only when the hub has acknowledged its update, or when it was set aside with a reason;
//! - the updates of one row are published in the order of its changes, the last state last;
//! - repetitions carry the same event id and the same idempotency key, which are made of the outbox's name and number;
//! - a change that can never be published does not hold back the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use petasos_changes::{Merged, Outbox, merge};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use uuid::{Builder, Uuid};

use super::plan::Plan;
use super::render::{Outgoing, Rendered, Renderer};
use super::wait::{Outcome, Waiters, Waiting};
use super::{PublishFailure, Publisher};
use crate::resource::{ErasedResource, LiveRow};

/// Takes changes from the outbox and publishes them.
pub(crate) struct Relay {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) renderer: Renderer,
    /// By table.
    pub(crate) resources: HashMap<String, LiveResource>,
    /// By name.
    pub(crate) publishers: HashMap<String, Arc<dyn Publisher>>,
    /// Requests that want to know what became of their change.
    pub(crate) waiters: Arc<Waiters>,
    /// The first pause after a failure; it doubles up to a hundred times this.
    pub(crate) pause: Duration,
}

/// A resource with what its attribute says.
#[derive(Clone)]
pub(crate) struct LiveResource {
    pub(crate) resource: Arc<dyn ErasedResource>,
    pub(crate) plan: Arc<Plan>,
}

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Interrupted {
    #[error(transparent)]
    Outbox(#[from] petasos_changes::Error),
    #[error("another process has taken over")]
    Superseded,
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
            tracing::debug!(%error, "the lead over other processes ends with this one");
        }
    }

    /// Publishes one batch, once there is one.
    async fn round(&self) -> Result<(), Interrupted> {
        let leads = self.outbox.lead().await?;
        if leads {
            tokio::select! {
                waited = self.outbox.wait() => waited?,
                () = self.waiters.called() => {}
            }
        }
        // Whoever waits by now has committed, so the batch that is read next holds the change, unless it was dealt with.
        let mut waiting = self.waiters.take();
        if !leads {
            self.follow(&mut waiting).await?;
            return Ok(());
        }
        let batch = self.outbox.batch(BATCH).await?;
        let is_last = batch.len() < BATCH;
        let waiting = Mutex::new(waiting);
        let rows = self.announce_collections(merge(batch), is_last, &waiting).await?;
        // In order while it can keep up. Behind a backlog, several rows are on their way at once, but never two changes of one.
        let width = if is_last { 1 } else { WIDTH };
        self.deal_with(&rows, width, &waiting).await?;
        if is_last {
            lock(&waiting).dealt_with();
        }
        Ok(())
    }

    async fn deal_with(
        &self,
        rows: &[Merged],
        width: usize,
        waiting: &Mutex<Waiting<'_>>,
    ) -> Result<(), Interrupted> {
        let (mut led, mut done) = (Instant::now(), Vec::new());
        let loaded = self.load(rows).await;
        let attempts: Vec<_> =
            rows.iter().zip(loaded).map(|(row, loaded)| self.attempt(row, loaded, waiting)).collect();
        let mut attempts = stream::iter(attempts).buffered(width);
        for row in rows {
            if led.elapsed() > CHECK {
                self.outbox.acknowledge(&std::mem::take(&mut done)).await?;
                self.keep_lead().await?;
                led = Instant::now();
            }
            let Some(attempt) = attempts.next().await else { break };
            match attempt? {
                Ok(()) => done.extend(&row.seqs),
                Err(reason) => self.set_aside(row, &reason, waiting).await?,
            }
        }
        Ok(self.outbox.acknowledge(&done).await?)
    }

    /// Another process relays; it may end at any time. What has left the outbox it has dealt with.
    async fn follow(&self, waiting: &mut Waiting<'_>) -> Result<(), Interrupted> {
        if !waiting.is_empty() {
            let batch = self.outbox.batch(BATCH).await?;
            let is_last = batch.len() < BATCH;
            let rows = merge(batch);
            let is_left = |table: &str, id: &str| {
                rows.iter().any(|row| row.table == table && self.id_of(row).as_deref() == Some(id))
            };
            waiting.dealt_with_unless(|table, id| !is_last || is_left(table, id));
        }
        let pause = if waiting.is_empty() { FOLLOW } else { LOOK };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.waiters.called() => {}
        }
        Ok(())
    }

    pub(super) fn id_of(&self, row: &Merged) -> Option<String> {
        self.resources.get(&row.table)?.resource.changed_id(&row.key)
    }

    /// Publishes what one row comes to; the inner error is why that can never be done.
    async fn attempt(
        &self,
        row: &Merged,
        loaded: Option<LiveRow<'_>>,
        waiting: &Mutex<Waiting<'_>>,
    ) -> Result<Result<(), String>, Interrupted> {
        let id = self.id_of(row).unwrap_or_default();
        match self.render(row, loaded).await {
            Rendered::Nothing => {}
            Rendered::Broken(reason) | Rendered::Later(reason) => return Ok(Err(reason)),
            Rendered::Update(outgoing) => {
                if !outgoing.within_request {
                    lock(waiting).tell(&row.table, &id, Outcome::Pending);
                }
                if let Err(reason) = self.publish(&outgoing).await? {
                    return Ok(Err(reason));
                }
            }
        }
        lock(waiting).tell(&row.table, &id, Outcome::Acknowledged);
        Ok(Ok(()))
    }

    async fn set_aside(
        &self,
        row: &Merged,
        reason: &str,
        waiting: &Mutex<Waiting<'_>>,
    ) -> Result<(), Interrupted> {
        tracing::warn!(table = row.table, key = ?row.key, reason, "a change was set aside");
        for seq in &row.seqs {
            self.outbox.set_aside(*seq, reason).await?;
        }
        let id = self.id_of(row).unwrap_or_default();
        lock(waiting).tell(&row.table, &id, Outcome::SetAside);
        Ok(())
    }

    /// Renders a row. A busy database is waited for.
    async fn render(&self, row: &Merged, mut loaded: Option<LiveRow<'_>>) -> Rendered {
        let Some(LiveResource { resource, plan }) = self.resources.get(&row.table) else {
            return Rendered::Broken(format!("no resource is made of the table {:?}", row.table));
        };
        loop {
            let id = event_id(self.outbox.instance(), row.last_seq()).urn().to_string();
            match self.renderer.render(&**resource, plan, row, loaded.take(), id).await {
                Rendered::Later(reason) => {
                    tracing::debug!(reason, "a row cannot be read yet");
                    tokio::time::sleep(self.pause).await;
                }
                rendered => return rendered,
            }
        }
    }

    /// Publishes to each hub that gets the update; the inner error is a refusal.
    pub(super) async fn publish(&self, outgoing: &Outgoing) -> Result<Result<(), String>, Interrupted> {
        for name in &outgoing.hubs {
            let Some(publisher) = self.publishers.get(name) else {
                let known = self.publishers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                return Ok(Err(format!("there is no hub {name:?}; there are {known}")));
            };
            if let Err(reason) = self.publish_to(&**publisher, outgoing).await? {
                return Ok(Err(reason));
            }
        }
        Ok(Ok(()))
    }

    /// Publishes, for as long as it takes; the inner error is a refusal.
    async fn publish_to(
        &self,
        publisher: &dyn Publisher,
        outgoing: &Outgoing,
    ) -> Result<Result<(), String>, Interrupted> {
        let mut failures = 0;
        loop {
            match publisher.publish(&outgoing.update, &outgoing.key).await {
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
        if self.outbox.lead().await? { Ok(()) } else { Err(Interrupted::Superseded) }
    }

    /// Doubles, and varies by half of itself, so that many processes do not come back together.
    fn pause_after(&self, failures: u32) -> Duration {
        let pause = self.pause * 2u32.saturating_pow(failures.min(8) - 1).min(100);
        let random = u32::from(Uuid::new_v4().as_bytes()[0]);
        pause / 2 + pause / 2 * random / 255
    }
}

/// The same change always gets the same id.
pub(super) fn event_id(instance: &str, seq: i64) -> Uuid {
    let digest = Sha256::digest(format!("{instance}:{seq}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

pub(super) fn lock<'a, 'b>(waiting: &'a Mutex<Waiting<'b>>) -> MutexGuard<'a, Waiting<'b>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

const BATCH: usize = 512;
/// Rows that are on their way to the hub at once while there is a backlog.
const WIDTH: usize = 64;
/// How often a relay that has much to do makes sure that it still leads.
const CHECK: Duration = Duration::from_secs(2);
/// How often a relay that does not lead tries to.
const FOLLOW: Duration = Duration::from_secs(1);
/// How often it looks what has become of the changes that requests wait for.
const LOOK: Duration = Duration::from_millis(20);

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
