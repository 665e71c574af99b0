//! The hub itself: what its parts share, and how it is put together.

use std::fmt;
use std::sync::Arc;

use petasos_protocol::{EventId, HubUrl, Update};

use crate::activity::Activity;
use crate::admission::Admission;
use crate::auth::Verifier;
use crate::builder::{HubBuilder, Policy};
use crate::clock::Clock;
use crate::dispatch::{Dispatch, Metrics};
use crate::event::Event;
use crate::idempotency::{self, Recent, Verdict};
use crate::ids::{Ids, event_id};
use crate::transport::{AppendError, Transport};

/// A Mercure hub. Clones are the same hub.
///
/// Make one with [`Hub::builder`], serve it with [`crate::server::serve`] or mount [`Hub::handle`] in an application of
/// your own, and publish into it with [`Hub::publish`] or over HTTP.
#[derive(Clone)]
pub struct Hub {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) url: HubUrl,
    pub(crate) policy: Policy,
    pub(crate) publishers: Verifier,
    pub(crate) subscribers: Verifier,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) admission: Arc<Admission>,
    /// `None` if the hub does not tell of active subscriptions.
    pub(crate) activity: Option<Arc<Activity>>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) recent: Recent,
}

impl Hub {
    /// Starts to describe a hub.
    pub fn builder() -> HubBuilder {
        HubBuilder::new()
    }

    /// Its public URL: what clients are told, and what relative patterns are relative to.
    #[must_use]
    pub fn url(&self) -> &HubUrl {
        &self.inner.url
    }

    /// The id of the newest update.
    #[must_use]
    pub fn last_event_id(&self) -> Option<EventId> {
        self.inner.transport.bounds().newest_id
    }

    /// What dispatch has counted so far.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        self.inner.dispatch.metrics()
    }

    /// Whether it can take updates; if not, why.
    ///
    /// # Errors
    /// One line for an operator.
    pub fn health(&self) -> Result<(), String> {
        self.inner.transport.health()
    }

    /// Publishes in the name of the program itself, which needs no token. Resolves to the update's id once it is as
    /// durable as the transport makes it.
    ///
    /// With an idempotency key a repetition of a recent publish is not dispatched again and resolves to the first id.
    ///
    /// # Errors
    /// See [`PublishError`]; nothing was dispatched then.
    pub async fn publish(
        &self,
        update: Update,
        idempotency_key: Option<&str>,
    ) -> Result<EventId, PublishError> {
        if let Some(topic) = update.topics().iter().find(|topic| self.inner.url.reserves(topic.as_str())) {
            return Err(PublishError::Reserved(topic.as_str().to_owned()));
        }
        self.publish_as("", update, idempotency_key).await
    }

    /// Publishes in the name of `publisher`, who may do so.
    pub(crate) async fn publish_as(
        &self,
        publisher: &str,
        update: Update,
        key: Option<&str>,
    ) -> Result<EventId, PublishError> {
        let Some(key) = key else { return self.append(&update).await };
        let own = idempotency::Key::new(publisher, key);
        match self.inner.recent.begin(&own, &update) {
            Verdict::Repeated(id) => return Ok(id),
            Verdict::UnderWay => return Err(PublishError::UnderWay),
            Verdict::Other => return Err(PublishError::KeyReused),
            Verdict::First => {}
        }
        // Dropping this future, when a client hangs up, must not leave the key under way for ever.
        let pending = Pending { recent: &self.inner.recent, key: Some(&own) };
        let id = match self.remembered(&update, key).await? {
            Some(id) => id,
            None => self.append(&update).await?,
        };
        pending.finish(&id);
        Ok(id)
    }

    /// A publisher that uses its event ids as keys, as our own relay does, is recognised by the history too,
    /// which outlives the process.
    async fn remembered(&self, update: &Update, key: &str) -> Result<Option<EventId>, PublishError> {
        let Some(id) = update.id().filter(|id| id.as_str() == key) else { return Ok(None) };
        let found = self
            .inner
            .transport
            .find(id.as_str())
            .await
            .map_err(|error| AppendError::Storage(error.to_string()))?;
        Ok(found.map(|_| id.clone()))
    }

    async fn append(&self, update: &Update) -> Result<EventId, PublishError> {
        let id = match update.id() {
            Some(id) => id.clone(),
            None => event_id(self.inner.ids.next()).map_err(|error| PublishError::Id(error.to_string()))?,
        };
        self.inner.transport.append(Arc::new(Event::new(id.clone(), update))).await?;
        Ok(id)
    }

    /// Ends the subscriptions, spread over the time that the builder was given, and tells each client how long to wait
    /// before it comes back. A few are ended at once.
    pub async fn drain(&self) {
        self.inner.dispatch.drain(self.inner.policy.shutdown_spread).await;
    }

    /// Ends every subscription and closes the history; publishing fails from then on.
    pub async fn close(&self) {
        let dispatch = Arc::clone(&self.inner.dispatch);
        if tokio::task::spawn_blocking(move || dispatch.stop()).await.is_err() {
            tracing::error!("stopping the dispatch shards failed");
        }
        if let Some(activity) = &self.inner.activity {
            activity.flush().await;
        }
        self.inner.transport.close().await;
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("url", &self.inner.url)
            .field("policy", &self.inner.policy)
            .finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // `Hub::close` waits for the shards; a hub that is merely dropped lets them go by themselves.
        self.dispatch.leave();
    }
}

/// A publish with a key that is not finished yet.
struct Pending<'a> {
    recent: &'a Recent,
    key: Option<&'a idempotency::Key>,
}

impl Pending<'_> {
    fn finish(mut self, id: &EventId) {
        if let Some(key) = self.key.take() {
            self.recent.finish(key, id);
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.recent.abandon(key);
        }
    }
}

/// Why an update was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// A topic lies in the hub's own namespace (PUB.3).
    #[error("the topic {0:?} lies in the hub's own namespace")]
    Reserved(String),
    /// The idempotency key was used for another content.
    #[error("the Idempotency-Key was used before, for another update")]
    KeyReused,
    /// A publish with the same idempotency key has not finished yet.
    #[error("a publish with the same Idempotency-Key is still under way")]
    UnderWay,
    /// The source of ids gave something that is no id.
    #[error("no id could be made for the update: {0}")]
    Id(String),
    /// The history did not take it.
    #[error(transparent)]
    History(#[from] AppendError),
}
