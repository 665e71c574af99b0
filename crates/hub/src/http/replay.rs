//! What happened before a subscription went live, read at the subscriber's pace.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::dispatch::Interest;
use crate::hub::Hub;
use crate::transport::{ReadError, Seq};

/// Walks the history on behalf of one subscription, in bounded memory.
pub(crate) struct Replay {
    hub: Hub,
    interest: Arc<Interest>,
    after: Seq,
}

impl Replay {
    pub(crate) fn new(hub: Hub, interest: Arc<Interest>, after: Seq) -> Self {
        Self { hub, interest, after }
    }

    /// Everything up to here was handed out or is none of the subscriber's business.
    pub(crate) fn after(&self) -> Seq {
        self.after
    }

    /// For whom it was, at its end.
    pub(crate) fn into_interest(self) -> Arc<Interest> {
        self.interest
    }

    /// The next events, or `None` at the end of the history.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        loop {
            let batch = self.hub.inner.transport.read(self.after, BATCH).await?;
            let Some(last) = batch.last() else { return Ok(None) };
            self.after = last.seq;
            let mut bytes = BytesMut::new();
            for stored in &batch {
                if self.interest.admits(&stored.event, &self.hub.inner.url) {
                    bytes.extend_from_slice(stored.event.frame());
                }
            }
            if !bytes.is_empty() {
                return Ok(Some(bytes.freeze()));
            }
            // A long history that holds nothing for this subscriber must not keep the others waiting.
            tokio::task::yield_now().await;
        }
    }
}

/// Bytes of history that a subscriber holds in memory at a time.
const BATCH: usize = 128 << 10;
