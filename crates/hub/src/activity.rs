//! Who subscribes to what at the moment, and the updates that tell of it (ACT).
//!
//! Invariants:
//! - each subscription that is registered is announced as active once, and once as ended, in this order;
//! - what the list says was, or will be, said by an update too.

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
use tokio::sync::{mpsc, oneshot};

use crate::auth::Authorised;
use crate::event::Event;
use crate::ids::{Ids, event_id};
use crate::transport::Transport;

/// All active subscriptions of this hub.
pub(crate) struct Activity {
    hub: HubUrl,
    transport: Arc<dyn Transport>,
    ids: Arc<dyn Ids>,
    /// Whether subscribers of earlier generations are told too, in documents of their own.
    earlier: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the identifier of the subscriber.
    subscribers: BTreeMap<Arc<str>, Box<[Active]>>,
    announcer: Option<mpsc::UnboundedSender<Job>>,
}

#[derive(Clone)]
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
    Announce(Update),
    /// Answered when everything before it was announced.
    Flush(oneshot::Sender<()>),
}

/// A subscriber that is registered; it has ended when this is dropped.
pub(crate) struct Registration {
    activity: Arc<Activity>,
    subscriber: Arc<str>,
}

impl Activity {
    pub(crate) fn new(hub: HubUrl, transport: Arc<dyn Transport>, ids: Arc<dyn Ids>, earlier: bool) -> Self {
        Self { hub, transport, ids, earlier, state: Mutex::default() }
    }

    /// Registers a subscriber under a new identifier that nothing it sent has influenced (ACT.2).
    /// Must be called on a tokio runtime.
    pub(crate) fn register(
        self: &Arc<Self>,
        matchers: &[Matcher],
        token: Option<&Authorised>,
    ) -> Registration {
        let subscriber: Arc<str> = self.ids.next().urn().to_string().into();
        let active: Box<[Active]> =
            matchers.iter().map(|matcher| self.active(matcher.clone(), token)).collect();
        let mut state = self.state();
        self.announce(&mut state, &subscriber, &active, true);
        state.subscribers.insert(Arc::clone(&subscriber), active);
        drop(state);
        Registration { activity: Arc::clone(self), subscriber }
    }

    fn active(&self, matcher: Matcher, token: Option<&Authorised>) -> Active {
        let view = TopicView::new(matcher.source(), &self.hub);
        let payload = token.and_then(|token| token.payload(&view)).cloned();
        Active { matcher, payload }
    }

    fn end(&self, subscriber: &Arc<str>) {
        let mut state = self.state();
        if let Some(ended) = state.subscribers.remove(subscriber) {
            self.announce(&mut state, subscriber, &ended, false);
        }
    }

    /// The document at a path (ACT.4), when `newest` is the newest event; `None` if there is no such subscription.
    pub(crate) fn document(&self, path: &str, asked: &Asked, newest: &str) -> Option<Document> {
        let state = self.state();
        let all = state
            .subscribers
            .iter()
            .flat_map(|(subscriber, active)| active.iter().map(move |active| (subscriber.as_ref(), active)));
        let mut found = all.filter(|(subscriber, active)| asked.includes(subscriber, active));
        Some(match asked {
            Asked::Current(SubscriptionPath::One { .. }) => {
                let (subscriber, active) = found.next()?;
                Document::One(self.describe(subscriber, active, true))
            }
            Asked::Current(_) => {
                let found = found.map(|(subscriber, active)| self.describe(subscriber, active, true));
                Document::Many(SubscriptionsDocument::new(path, found.collect()))
            }
            Asked::Earlier(EarlierSubscriptionPath::One { .. }) => {
                let (subscriber, active) = found.next()?;
                Document::EarlierOne(self.describe_earlier(subscriber, active, true).at(newest))
            }
            Asked::Earlier(_) => {
                let found = found.map(|(subscriber, active)| self.describe_earlier(subscriber, active, true));
                Document::EarlierMany(EarlierSubscriptions::new(path, newest, found.collect()))
            }
        })
    }

    fn describe(&self, subscriber: &str, active: &Active, is_active: bool) -> SubscriptionDocument {
        SubscriptionDocument::new(&self.hub, &active.matcher, subscriber, is_active, active.payload.clone())
    }

    fn describe_earlier(&self, subscriber: &str, active: &Active, is_active: bool) -> EarlierSubscription {
        EarlierSubscription::new(&self.hub, &active.matcher, subscriber, is_active, active.payload.clone())
    }

    /// Queues one update per subscription. It takes the state's lock so that the order of updates is that of the changes.
    fn announce(&self, state: &mut State, subscriber: &str, subscriptions: &[Active], is_active: bool) {
        let announcer = state.announcer.get_or_insert_with(|| {
            let (sender, jobs) = mpsc::unbounded_channel();
            tokio::spawn(announce_all(jobs, Arc::clone(&self.transport), Arc::clone(&self.ids)));
            sender
        });
        let updates = subscriptions.iter().flat_map(|active| {
            let earlier = self.earlier.then(|| self.describe_earlier(subscriber, active, is_active).update());
            // What everybody may see comes last: its id is then the newest, as the list says.
            [earlier, Some(self.describe(subscriber, active, is_active).update())]
        });
        for update in updates.flatten() {
            if announcer.send(Job::Announce(update)).is_err() {
                tracing::warn!("a change of subscriptions is not announced: the runtime is shutting down");
                return;
            }
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

/// Appends the announcements in order, many at a time: a storm of clients comes faster than a disk can be flushed for each.
async fn announce_all(
    mut jobs: mpsc::UnboundedReceiver<Job>,
    transport: Arc<dyn Transport>,
    ids: Arc<dyn Ids>,
) {
    let mut batch = Vec::new();
    while jobs.recv_many(&mut batch, AT_A_TIME).await > 0 {
        let (mut under_way, mut asked) = (Vec::new(), Vec::new());
        for job in batch.drain(..) {
            match job {
                Job::Announce(update) => {
                    let announcing = announce_one(update, Arc::clone(&transport), Arc::clone(&ids));
                    under_way.push(Box::pin(announcing));
                }
                Job::Flush(done) => asked.push(done),
            }
        }
        finish(under_way).await;
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

async fn announce_one(update: Update, transport: Arc<dyn Transport>, ids: Arc<dyn Ids>) {
    let announced = match event_id(ids.next()) {
        Ok(id) => {
            transport.append(Arc::new(Event::new(id, &update))).await.map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = announced {
        tracing::error!(error, topic = %update.canonical(), "a change of subscriptions is not announced");
    }
}

/// How many changes are appended together.
const AT_A_TIME: usize = 256;
