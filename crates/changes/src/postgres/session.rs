//! The session that leads, listens, and says whether the relay is awake.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgListener, PgPool};
use sqlx::{Executor, Row};
use tokio::sync::Mutex;

use super::install::{Locks, Place};
use crate::Error;

/// A session, opened when it is needed and given up after an error: its locks are gone then.
#[derive(Debug)]
pub(crate) struct Session {
    pool: PgPool,
    locks: Locks,
    channel: String,
    state: Mutex<Option<State>>,
}

#[derive(Debug)]
struct State {
    listener: PgListener,
    leads: bool,
    awake: bool,
    listens: bool,
    checked: Instant,
}

impl Session {
    pub(crate) fn new(pool: PgPool, place: &Place) -> Self {
        Self { pool, locks: place.locks, channel: place.channel.clone(), state: Mutex::new(None) }
    }

    /// Takes or keeps the lead.
    pub(crate) async fn lead(&self) -> Result<bool, Error> {
        let mut guard = self.state.lock().await;
        let mut state = self.opened(guard.take()).await?;
        if !state.leads {
            state.leads = state.lock(self.locks.lead).await?;
        } else if state.checked.elapsed() > CHECK {
            // A session that is gone has lost the lead.
            state.listener.execute("SELECT 1").await?;
            state.checked = Instant::now();
        }
        let leads = state.leads;
        *guard = Some(state);
        Ok(leads)
    }

    /// Lets writers notify nobody. If one of them is about to notify, they go on doing so.
    pub(crate) async fn stay_awake(&self) -> Result<(), Error> {
        let mut guard = self.state.lock().await;
        let mut state = self.opened(guard.take()).await?;
        if state.leads && !state.awake {
            state.awake = state.lock(self.locks.awake).await?;
        }
        *guard = Some(state);
        Ok(())
    }

    /// Lets writers notify again; `true` if they did not until now.
    pub(crate) async fn fall_asleep(&self) -> Result<bool, Error> {
        let mut guard = self.state.lock().await;
        let mut state = self.opened(guard.take()).await?;
        let mut was_deaf = false;
        if !state.listens {
            state.listener.listen(&self.channel).await?;
            (state.listens, was_deaf) = (true, true);
        }
        if state.awake {
            let unlock = format!("SELECT pg_advisory_unlock({})", self.locks.awake);
            state.listener.execute(sqlx::AssertSqlSafe(unlock)).await?;
            (state.awake, was_deaf) = (false, true);
        }
        *guard = Some(state);
        Ok(was_deaf)
    }

    /// Resolves when a writer notifies.
    pub(crate) async fn listen(&self) -> Result<(), Error> {
        let mut guard = self.state.lock().await;
        let Some(state) = guard.as_mut() else { return Ok(()) };
        match state.listener.try_recv().await {
            Ok(Some(_)) => Ok(()),
            // The connection was lost, and everything that it held.
            Ok(None) => {
                *guard = None;
                Ok(())
            }
            Err(error) => {
                *guard = None;
                Err(error.into())
            }
        }
    }

    /// Ends the session, and with it the lead.
    pub(crate) async fn close(&self) {
        if let Some(mut state) = self.state.lock().await.take()
            && let Err(error) = state.listener.execute("SELECT pg_advisory_unlock_all()").await
        {
            tracing::debug!(%error, "the session of the relay is gone already");
        }
    }

    async fn opened(&self, state: Option<State>) -> Result<State, Error> {
        if let Some(state) = state {
            return Ok(state);
        }
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.eager_reconnect(false);
        // The pool may hand out the connection that an earlier session gave up.
        listener.execute("SELECT pg_advisory_unlock_all()").await?;
        Ok(State { listener, leads: false, awake: false, listens: false, checked: Instant::now() })
    }
}

impl State {
    async fn lock(&mut self, number: i64) -> Result<bool, Error> {
        let lock = format!("SELECT pg_try_advisory_lock({number})");
        let row = self.listener.fetch_one(sqlx::AssertSqlSafe(lock)).await?;
        Ok(row.try_get(0)?)
    }
}

/// A session that is used less often than this is asked whether it still exists.
const CHECK: Duration = Duration::from_secs(1);
