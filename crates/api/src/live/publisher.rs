//! The seam between the relay and hubs.

use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use petasos_client::Publisher as Client;
use petasos_protocol::{EventId, Update};

/// Publishes updates to a hub.
pub trait Publisher: Send + Sync + 'static {
    /// Publishes one update; resolves once the hub has acknowledged it. A repetition with the same key must be harmless.
    fn publish<'a>(
        &'a self,
        update: &'a Update,
        idempotency_key: &'a str,
    ) -> BoxFuture<'a, Result<(), PublishFailure>>;

    /// The newest event of the hub that is known here: a client that continues after it misses nothing.
    fn last_event_id(&self) -> Option<String> {
        None
    }
}

/// Why an update was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishFailure {
    /// The hub cannot be reached or cannot take updates now: trying again will help.
    #[error("the hub cannot take updates: {0}")]
    Unavailable(String),
    /// The hub will never take this update.
    #[error("the hub refuses the update: {0}")]
    Refused(String),
}

/// Publishes to a hub over HTTP.
#[derive(Debug)]
pub(crate) struct HttpPublisher {
    client: Client,
    /// What the hub acknowledged last. Others publish there too, so it may be older than the newest event, never newer.
    newest: Mutex<Option<EventId>>,
}

impl HttpPublisher {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, newest: Mutex::new(None) }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }
}

impl Publisher for HttpPublisher {
    fn publish<'a>(
        &'a self,
        update: &'a Update,
        idempotency_key: &'a str,
    ) -> BoxFuture<'a, Result<(), PublishFailure>> {
        Box::pin(async move {
            match self.client.publish(update, Some(idempotency_key)).await {
                Ok(id) => {
                    *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
                    Ok(())
                }
                // A wrong token is the operator's to mend, and then every update will pass: none of them is at fault.
                Err(error) if error.is_retryable() || error.is_unauthorized() => {
                    Err(PublishFailure::Unavailable(error.to_string()))
                }
                Err(error) => Err(PublishFailure::Refused(error.to_string())),
            }
        })
    }

    fn last_event_id(&self) -> Option<String> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.as_ref().map(ToString::to_string)
    }
}
