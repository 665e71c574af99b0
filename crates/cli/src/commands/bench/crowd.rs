//! The subscribers, each with a connection of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, bail};
use petasos_client::token::{Credential, mint};
use petasos_client::{Connections, Signal, Subscriber};
use petasos_protocol::Matcher;
use petasos_protocol::token::ClaimsBuilder;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::Plan;
use super::tally::Tally;

/// Tasks that subscribe.
pub(super) struct Crowd {
    tasks: JoinSet<()>,
    count: usize,
}

impl Crowd {
    pub(super) fn open(plan: &Arc<Plan>, tally: &Arc<Tally>) -> anyhow::Result<Self> {
        let connections = Connections::separate()?;
        let topic = [Matcher::exact(plan.topic.as_str())?];
        let door = Arc::new(Semaphore::new(AT_A_TIME));
        let expires = super::super::now()? + plan.duration.as_secs() + SPARE;
        let mut tasks = JoinSet::new();
        for number in 0..plan.subscribers {
            let subscriber =
                Subscriber::over(&connections, &plan.url, &topic).context("--url cannot be used")?;
            let (plan, tally, door) = (Arc::clone(plan), Arc::clone(tally), Arc::clone(&door));
            tasks.spawn(async move {
                if let Err(error) = follow(&plan, subscriber, &tally, &door, (number, expires)).await {
                    tally.troubled(|| format!("{error:#}"));
                    tally.refused.fetch_add(1, Ordering::Relaxed);
                    tally.progress.notify_one();
                }
            });
        }
        Ok(Self { tasks, count: plan.subscribers })
    }

    /// Waits until each has its stream or was refused.
    pub(super) async fn opened(
        &mut self,
        tally: &Tally,
        stopped: &watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let mut stopped = stopped.clone();
        loop {
            let opened = tally.opened.load(Ordering::Relaxed);
            if opened + tally.refused.load(Ordering::Relaxed) >= self.count && opened > 0 {
                return Ok(());
            }
            let waited = tokio::select! {
                waited = tokio::time::timeout(OPENING, tally.progress.notified()) => waited,
                Ok(_) = stopped.wait_for(|stopped| *stopped) => return Ok(()),
            };
            let hopeless = opened == 0 && tally.refused.load(Ordering::Relaxed) >= self.count;
            if waited.is_err() && opened > 0 {
                return Ok(());
            }
            if waited.is_err() || hopeless {
                let reason = tally.trouble().unwrap_or_else(|| "it does not answer".to_owned());
                bail!(
                    "the hub lets nobody in: {reason}; are --url, --secret and --public-url those of the hub, and is it running?"
                );
            }
        }
    }

    /// How many of them are to get what is published.
    pub(super) fn open_now(&self, tally: &Tally) -> usize {
        tally.opened.load(Ordering::Relaxed).min(self.count)
    }

    /// Closes all connections.
    pub(super) async fn leave(mut self) {
        self.tasks.shutdown().await;
    }
}

/// One subscriber.
async fn follow(
    plan: &Plan,
    mut subscriber: Subscriber,
    tally: &Tally,
    door: &Semaphore,
    (number, expires): (usize, u64),
) -> anyhow::Result<()> {
    if let Some(token) = token(plan, number, expires)? {
        subscriber = subscriber.token(token);
    }
    let mut permit = Some(door.acquire().await?);
    let mut seen = vec![0u64; tally.updates().div_ceil(64)].into_boxed_slice();
    loop {
        match subscriber.next().await? {
            Signal::Open if permit.take().is_some() => {
                tally.opened.fetch_add(1, Ordering::Relaxed);
                tally.progress.notify_one();
            }
            Signal::Message(message) => {
                if let Some(number) = number_of(&plan.mark, &message.data) {
                    tally.has(number, is_new(&mut seen, number));
                }
            }
            Signal::Reconnecting { reason, .. } => {
                tally.troubled(|| reason);
                tally.reconnects.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

fn token(plan: &Plan, number: usize, expires: u64) -> anyhow::Result<Option<String>> {
    if plan.subscriber_token.is_some() {
        return Ok(plan.subscriber_token.clone());
    }
    let Credential::Secret(secret) = &plan.credential else { return Ok(None) };
    let audience: Vec<&str> = plan.audience.iter().map(String::as_str).collect();
    let claims = ClaimsBuilder::new(audience[0], &audience)
        .subject(&format!("bench-{number}"))
        .subscribe(&Matcher::exact(plan.topic.as_str())?);
    Ok(Some(mint(secret, &claims.build(expires.saturating_sub(LIFE), expires))?))
}

/// The number of an update of this run.
fn number_of(mark: &str, data: &str) -> Option<usize> {
    data.strip_prefix(mark)?.strip_prefix(' ')?.split(' ').next()?.parse().ok()
}

fn is_new(seen: &mut [u64], number: usize) -> bool {
    let Some(word) = seen.get_mut(number / 64) else { return false };
    let bit = 1 << (number % 64);
    let is_new = *word & bit == 0;
    *word |= bit;
    is_new
}

/// How many connect at the same time.
const AT_A_TIME: usize = 256;
/// So long nobody may get in before the rest is given up.
const OPENING: Duration = Duration::from_secs(15);
/// Seconds that tokens live longer than the load, so that those who come first see its end.
const SPARE: u64 = 900;
const LIFE: u64 = 2 * 86_400;
