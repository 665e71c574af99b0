//! A hub that is only written down: for the tests of programs that publish.

use std::sync::{Arc, Mutex, PoisonError};

use petasos_protocol::{EventId, Update};
use tokio::sync::watch;
use uuid::Uuid;

use crate::PublishError;

/// What a recording publisher was given. Clones show the same.
#[derive(Clone, Debug)]
pub struct Recording(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    updates: watch::Sender<Vec<(Option<String>, Update)>>,
    failure: Mutex<Option<PublishError>>,
}

impl Default for Recording {
    fn default() -> Self {
        Self(Arc::new(Inner { updates: watch::Sender::new(Vec::new()), failure: Mutex::new(None) }))
    }
}

impl Recording {
    /// Everything that was published, oldest first. A repetition with the same idempotency key counts once, as on a hub.
    #[must_use]
    pub fn updates(&self) -> Vec<Update> {
        self.0.updates.borrow().iter().map(|(_, update)| update.clone()).collect()
    }

    /// Resolves once so many updates were published.
    pub async fn reaches(&self, count: usize) -> Vec<Update> {
        let mut updates = self.0.updates.subscribe();
        // The sender lives as long as `self`, so there is always something to wait for.
        let reached = updates.wait_for(|updates| updates.len() >= count).await;
        reached
            .map_or_else(|_| Vec::new(), |updates| updates.iter().map(|(_, update)| update.clone()).collect())
    }

    /// Refuses every publish from now on with this error, or takes them again.
    pub fn fail_with(&self, failure: Option<PublishError>) {
        *self.0.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    pub(crate) fn publish(&self, update: &Update, key: Option<&str>) -> Result<EventId, PublishError> {
        if let Some(failure) = &*self.0.failure.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(failure.clone());
        }
        let made = || EventId::new(&Uuid::now_v7().urn().to_string());
        let id = update
            .id()
            .cloned()
            .map_or_else(made, Ok)
            .map_err(|error| PublishError::Answer(error.to_string()))?;
        self.0.updates.send_modify(|updates| {
            let is_repeated = key.is_some() && updates.iter().any(|(known, _)| known.as_deref() == key);
            if !is_repeated {
                updates.push((key.map(str::to_owned), update.clone()));
            }
        });
        Ok(id)
    }
}
