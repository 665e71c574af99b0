//! Identities for updates whose publisher gave none (PUB.4).

use std::fmt;

use petasos_protocol::EventId;
use uuid::Uuid;

/// Where the hub takes new event ids from.
pub trait Ids: fmt::Debug + Send + Sync + 'static {
    /// A UUID that was never handed out before.
    fn next(&self) -> Uuid;
}

/// UUIDs of version 7: they sort by time, which keeps indexes small, and tell when an update was published.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimeOrdered;

impl Ids for TimeOrdered {
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// UUIDs of version 4, for hubs whose ids must not tell when an update was published.
#[derive(Clone, Copy, Debug, Default)]
pub struct Random;

impl Ids for Random {
    fn next(&self) -> Uuid {
        Uuid::new_v4()
    }
}

/// The event id made of a UUID.
pub(crate) fn event_id(uuid: Uuid) -> Result<EventId, petasos_protocol::EventIdError> {
    EventId::new(&uuid.urn().to_string())
}
