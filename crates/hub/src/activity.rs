//! Who subscribes to what at the moment, and the updates that tell of it (ACT).
//!
//! Invariants:
//! - each subscription that is registered is announced as active once, and once as ended, in this order;
//! - what the list says was, or will be, said by an update too;
//! - what waits to be announced is bounded: who comes waits for room, and keeps it until its beginning was announced. Who goes
//!   cannot wait, but has come before: ends that wait belong to subscribers that were there when the oldest of what waits
//!   was queued, or have come since and so have room. So never more waits than twice the room and once the most
//!   subscribers there were at a time. Rejected: leaving out those who have come and gone meanwhile; whoever has read
//!   of them in the list would take them to be there for ever.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use petasos_protocol::compat::{EarlierSubscription, EarlierSubscriptionPath, EarlierSubscriptions};
use petasos_protocol::{
    HubUrl, Matcher, SubscriptionDocument, SubscriptionPath, SubscriptionsDocument, TopicView, Update,
};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::auth::Authorised;
use crate::event::Event;
use crate::ids::{Ids, event_id};
use crate::transport::Transport;

/// All active subscriptions of this hub.
pub(crate) struct Activity {
    teller: Arc<Teller>,
    /// For beginnings that wait to be announced, one per subscription.
    room: Arc<Semaphore>,
    state: Mutex<State>,
}

/// Puts into words what has changed, and into the history.
struct Teller {
    hub: HubUrl,
    transport: Arc<dyn Transport>,
    ids: Arc<dyn Ids>,
    /// Whether subscribers of earlier generations are told too, in documents of their own.
    earlier: bool,
}

#[derive(Default)]
struct State {
    /// By the identifier of the subscriber.
    subscribers: BTreeMap<Arc<str>, Arc<[Active]>>,
    announcer: Option<mpsc::UnboundedSender<Job>>,
}

struct Active {
    matcher: Matcher,
    payload: Option<Value>,
}

impl Active {
    fn is(&self, match_type: &str, source: &str) -> bool {
        self.matcher.source() == source && self.matcher.match_type().as_str() == match_type
    }
}

/// An answer of the web API.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Document {
    Many(SubscriptionsDocument),
    One(SubscriptionDocument),
    EarlierMany(EarlierSubscriptions),
    EarlierOne(EarlierSubscription),
}

/// What a request to the web API asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    Current(SubscriptionPath),
    Earlier(EarlierSubscriptionPath),
}

impl Asked {
    /// Reads the path of a request; `None` if nothing is there.
    pub(crate) fn parse(path: &str, hub: &HubUrl, is_earlier: bool) -> Option<Self> {
        match is_earlier {
            false => SubscriptionPath::parse(path, hub).map(Self::Current),
            true => EarlierSubscriptionPath::parse(path, hub).map(Self::Earlier),
        }
    }

    fn includes(&self, of: &str, active: &Active) -> bool {
        match self {
            Self::Current(SubscriptionPath::All) | Self::Earlier(EarlierSubscriptionPath::All) => true,
            Self::Current(SubscriptionPath::Matcher { match_type, matcher }) => {
                active.is(match_type, matcher)
            }
            Self::Current(SubscriptionPath::One { match_type, matcher, subscriber }) => {
                of == subscriber && active.is(match_type, matcher)
            }
            Self::Earlier(EarlierSubscriptionPath::Topic(topic)) => active.matcher.source() == topic,
            Self::Earlier(EarlierSubscriptionPath::One { topic, subscriber }) => {
                of == subscriber && active.matcher.source() == topic
            }
            Self::Current(_) | Self::Earlier(_) => false,
        }
    }
}

enum Job {
    Announce(Change),
    /// Answered when everything before it was announced.
    Flush(oneshot::Sender<()>),
}

/// A subscriber has come or gone. Shares what is known of it, so that waiting takes next to no memory.
struct Change {
    subscriber: Arc<str>,
    subscriptions: Arc<[Active]>,
    is_active: bool,
    /// Given back once this was announced.
    _room: Option<Room>,
}

/// A place among the announcements that wait.
pub(crate) type Room = OwnedSemaphorePermit;

/// A subscriber that is registered; it has ended when this is dropped.
pub(crate) struct Registration {
    activity: Arc<Activity>,
    subscriber: Arc<str>,
}

impl Activity {
    pub(crate) fn new(hub: HubUrl, transport: Arc<dyn Transport>, ids: Arc<dyn Ids>, earlier: bool) -> Self {
        let teller = Arc::new(Teller { hub, transport, ids, earlier });
        Self { teller, room: Arc::new(Semaphore::new(MOST_WAITING as usize)), state: Mutex::default() }
    }

    /// Waits until the announcements are not too far behind for a subscriber with so many subscriptions.
    pub(crate) async fn room(&self, subscriptions: usize) -> Option<Room> {
        let places = u32::try_from(subscriptions).unwrap_or(u32::MAX).min(MOST_WAITING);
        // Fails only for one that was closed, which nobody does; without a bound is better than not at all.
        Arc::clone(&self.room).acquire_many_owned(places).await.ok()
    }

    /// Registers a subscriber under a new identifier that nothing it sent has influenced (ACT.2).
    /// Must be called on a tokio runtime.
    pub(crate) fn register(
        self: &Arc<Self>,
        matchers: &[Matcher],
        token: Option<&Authorised>,
        room: Option<Room>,
    ) -> Registration {
        let subscriber: Arc<str> = self.teller.ids.next().urn().to_string().into();
        let subscriptions: Arc<[Active]> =
            matchers.iter().map(|matcher| self.active(matcher.clone(), token)).collect();
        let change = Change {
            subscriber: Arc::clone(&subscriber),
            subscriptions: Arc::clone(&subscriptions),
            is_active: true,
            _room: room,
        };
        let mut state = self.state();
        self.announce(&mut state, change);
        state.subscribers.insert(Arc::clone(&subscriber), subscriptions);
        drop(state);
        Registration { activity: Arc::clone(self), subscriber }
    }

    fn active(&self, matcher: Matcher, token: Option<&Authorised>) -> Active {
        let view = TopicView::new(matcher.source(), &self.teller.hub);
        let payload = token.and_then(|token| token.payload(&view)).cloned();
        Active { matcher, payload }
    }

    fn end(&self, subscriber: &Arc<str>) {
        let mut state = self.state();
        if let Some(subscriptions) = state.subscribers.remove(subscriber) {
            let subscriber = Arc::clone(subscriber);
            self.announce(&mut state, Change { subscriber, subscriptions, is_active: false, _room: None });
        }
    }

    /// The document at a path (ACT.4), when `newest` is the newest event; `None` if there is no such subscription.
    pub(crate) fn document(&self, path: &str, asked: &Asked, newest: &str) -> Option<Document> {
        let (state, teller) = (self.state(), &self.teller);
        let all = state
            .subscribers
            .iter()
            .flat_map(|(subscriber, active)| active.iter().map(move |active| (subscriber.as_ref(), active)));
        let mut found = all.filter(|(subscriber, active)| asked.includes(subscriber, active));
        Some(match asked {
            Asked::Current(SubscriptionPath::One { .. }) => {
                let (subscriber, active) = found.next()?;
                Document::One(teller.describe(subscriber, active, true))
            }
            Asked::Current(_) => {
                let found = found.map(|(subscriber, active)| teller.describe(subscriber, active, true));
                Document::Many(SubscriptionsDocument::new(path, found.collect()))
            }
            Asked::Earlier(EarlierSubscriptionPath::One { .. }) => {
                let (subscriber, active) = found.next()?;
                Document::EarlierOne(teller.describe_earlier(subscriber, active, true).at(newest))
            }
            Asked::Earlier(_) => {
                let found =
                    found.map(|(subscriber, active)| teller.describe_earlier(subscriber, active, true));
                Document::EarlierMany(EarlierSubscriptions::new(path, newest, found.collect()))
            }
        })
    }

    /// Queues a change. It takes the state's lock so that the order of updates is that of the changes.
    fn announce(&self, state: &mut State, change: Change) {
        let announcer = state.announcer.get_or_insert_with(|| {
            let (sender, jobs) = mpsc::unbounded_channel();
            tokio::spawn(announce_all(jobs, Arc::clone(&self.teller)));
            sender
        });
        if announcer.send(Job::Announce(change)).is_err() {
            tracing::warn!("a change of subscriptions is not announced: the runtime is shutting down");
        }
    }

    /// Waits until everything that happened so far was announced.
    pub(crate) async fn flush(&self) {
        let (done, announced) = oneshot::channel();
        let asked = match &self.state().announcer {
            Some(announcer) => announcer.send(Job::Flush(done)).is_ok(),
            None => false,
        };
        if asked && announced.await.is_err() {
            tracing::warn!("changes of subscriptions were not announced: the runtime is shutting down");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Teller {
    /// One update per subscription, and one more for those of earlier generations.
    fn updates(&self, change: &Change) -> Vec<Update> {
        let Change { subscriber, subscriptions, is_active, .. } = change;
        let updates = subscriptions.iter().flat_map(|active| {
            let earlier =
                self.earlier.then(|| self.describe_earlier(subscriber, active, *is_active).update());
            // What everybody may see comes last: its id is then the newest, as the list says.
            [earlier, Some(self.describe(subscriber, active, *is_active).update())]
        });
        updates.flatten().collect()
    }

    fn describe(&self, subscriber: &str, active: &Active, is_active: bool) -> SubscriptionDocument {
        SubscriptionDocument::new(&self.hub, &active.matcher, subscriber, is_active, active.payload.clone())
    }

    fn describe_earlier(&self, subscriber: &str, active: &Active, is_active: bool) -> EarlierSubscription {
        EarlierSubscription::new(&self.hub, &active.matcher, subscriber, is_active, active.payload.clone())
    }

    /// Appends the updates in order, many at a time: a storm of clients comes faster than a disk can be flushed for each.
    async fn tell(self: &Arc<Self>, updates: impl Iterator<Item = Update>) {
        let mut under_way = Vec::new();
        for update in updates {
            under_way.push(Box::pin(Arc::clone(self).tell_one(update)));
            if under_way.len() == AT_A_TIME {
                finish(std::mem::take(&mut under_way)).await;
            }
        }
        finish(under_way).await;
    }

    async fn tell_one(self: Arc<Self>, update: Update) {
        let told = match event_id(self.ids.next()) {
            Ok(id) => {
                let event = Arc::new(Event::new(id, &update));
                self.transport.append(event).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = told {
            tracing::error!(error, topic = %update.canonical(), "a change of subscriptions is not announced");
        }
    }
}

impl fmt::Debug for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activity")
            .field("subscribers", &self.state().subscribers.len())
            .finish_non_exhaustive()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.activity.end(&self.subscriber);
    }
}

/// Tells of the changes in the order in which they came.
async fn announce_all(mut jobs: mpsc::UnboundedReceiver<Job>, teller: Arc<Teller>) {
    let mut batch = Vec::new();
    while jobs.recv_many(&mut batch, AT_A_TIME).await > 0 {
        let (mut changes, mut asked) = (Vec::new(), Vec::new());
        for job in batch.drain(..) {
            match job {
                Job::Announce(change) => changes.push(change),
                Job::Flush(done) => asked.push(done),
            }
        }
        teller.tell(changes.iter().flat_map(|change| teller.updates(change))).await;
        drop(changes);
        for done in asked {
            if done.send(()).is_err() {
                tracing::debug!("whoever waited for the announcements waits no more");
            }
        }
    }
}

/// Drives all of them; each is begun after the one before it, so they are appended in this order.
async fn finish(mut under_way: Vec<impl Future<Output = ()> + Unpin>) {
    poll_fn(|cx| {
        under_way.retain_mut(|one| Pin::new(one).poll(cx).is_pending());
        if under_way.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// How many changes are appended together.
const AT_A_TIME: usize = 256;

/// How many subscriptions may wait for their beginning to be announced before those who come have to wait.
const MOST_WAITING: u32 = 4096;
