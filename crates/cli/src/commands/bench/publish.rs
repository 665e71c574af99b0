//! The updates, evenly spread over time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, bail};
use petasos_client::{PublishError, Publisher};
use petasos_protocol::Update;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::Plan;
use super::tally::Tally;

/// Publishes all updates of the plan, or until it is told to stop; waits for those that are under way.
pub(super) async fn run(
    plan: &Arc<Plan>,
    tally: &Arc<Tally>,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let audience: Vec<&str> = plan.audience.iter().map(String::as_str).collect();
    let publisher = Publisher::new(&plan.publish_url, plan.credential.clone(), &audience)
        .context("--publish-url cannot be used")?;
    let (publisher, mut stopped) = (Arc::new(publisher), stopped.clone());
    let end = Instant::now() + plan.duration;
    let mut tasks: JoinSet<Result<(), PublishError>> = JoinSet::new();
    let under_way = Arc::new(Semaphore::new(UNDER_WAY));
    // An hour's period where there is nothing to publish: the loop is left at once.
    let period = Duration::from_secs(1).checked_div(plan.rate).unwrap_or(Duration::from_secs(3600));
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0..tally.updates() {
        let permit = tokio::select! {
            biased;
            Ok(_) = stopped.wait_for(|stopped| *stopped) => break,
            permit = async { ticks.tick().await; Arc::clone(&under_way).acquire_owned().await } => permit?,
        };
        let (publisher, tally, update) = (Arc::clone(&publisher), Arc::clone(tally), update(plan, number));
        tasks.spawn(async move {
            tally.sends(number);
            let result = publisher.publish(&update, None).await;
            drop(permit);
            count(&tally, result)
        });
        while let Some(done) = tasks.try_join_next() {
            refused(plan, done?)?;
        }
    }
    while let Some(done) = tasks.join_next().await {
        refused(plan, done?)?;
    }
    tokio::select! {
        Ok(_) = stopped.wait_for(|stopped| *stopped) => {}
        () = tokio::time::sleep_until(end) => {}
    }
    Ok(())
}

/// A hub that is busy may take the next one; one that refuses the token will not.
fn count(tally: &Tally, result: Result<petasos_protocol::EventId, PublishError>) -> Result<(), PublishError> {
    match result {
        Ok(_) => {
            tally.published.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
        Err(error) if error.is_retryable() => {
            tally.troubled(|| error.to_string());
            tally.unpublished.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn refused(plan: &Plan, result: Result<(), PublishError>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.is_unauthorized() => bail!(
            "{error} Is --secret (MERCURE_JWT_SECRET) the key of the publishers of {}, and --public-url the URL that it calls \
             its own?",
            plan.publish_url
        ),
        other => Ok(other?),
    }
}

fn update(plan: &Plan, number: usize) -> Update {
    let mut data = format!("{} {number} ", plan.mark);
    while data.len() < plan.size {
        data.push('x');
    }
    Update::new(plan.topic.clone()).with_data(data).with_private(plan.private)
}

/// So many publishes wait for their answer at the same time.
const UNDER_WAY: usize = 256;
