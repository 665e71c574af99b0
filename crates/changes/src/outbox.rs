//! The outbox: where changes wait until they have been dealt with.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DatabaseConnection, DbBackend};
use tokio::sync::Notify;

use crate::sqlite::Sqlite;
use crate::{Change, Error, Table};

/// The changes of a database that wait. Read by one relay at a time: [`Outbox::lead`].
#[derive(Debug)]
pub struct Outbox {
    database: Sqlite,
    signal: Arc<Notify>,
    poll: Duration,
}

/// Tells the relay of this process that something was committed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Notify>);

impl Waker {
    /// Wakes the relay. Calls that come while it works are remembered as one.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

impl Outbox {
    /// Creates the outbox and the triggers of these tables, in one transaction; tables that are no longer listed lose theirs.
    /// Doing it again changes nothing, and several processes may do it at once.
    ///
    /// # Errors
    /// [`Error`] if the database is of another kind than SQLite, refuses, or if a table has no primary key.
    pub async fn install(db: &DatabaseConnection, tables: &[Table]) -> Result<Self, Error> {
        if db.get_database_backend() != DbBackend::Sqlite {
            return Err(Error::Unsupported(format!("{:?}", db.get_database_backend())));
        }
        if let Some(table) = tables.iter().find(|table| table.key.is_empty()) {
            return Err(Error::NoKey(table.name.clone()));
        }
        let signal = Arc::new(Notify::new());
        let options = db.get_sqlite_connection_pool().connect_options();
        let database = Sqlite::open(&options, tables, Arc::clone(&signal)).await?;
        Ok(Self { database, signal, poll: POLL })
    }

    /// Looks for changes at least this often, even if nothing announces them. Half a second by default.
    #[must_use]
    pub fn with_poll(mut self, period: Duration) -> Self {
        self.poll = period;
        self
    }

    /// What to call after a commit in this process.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.signal))
    }

    /// A random name that the outbox was given when it was created: event ids are made of it and a change's number.
    #[must_use]
    pub fn instance(&self) -> &str {
        self.database.instance()
    }

    /// Resolves when a change waits.
    ///
    /// # Errors
    /// [`Error`] if the database cannot be read.
    pub async fn wait(&self) -> Result<(), Error> {
        loop {
            if self.database.has_changes().await? {
                return Ok(());
            }
            let announced = tokio::time::timeout(self.poll, self.signal.notified()).await.is_ok();
            if announced && self.look_closely().await? {
                return Ok(());
            }
        }
    }

    /// A commit is announced before it can be seen: looks again a few times.
    async fn look_closely(&self) -> Result<bool, Error> {
        for pause in LOOKS {
            if self.database.has_changes().await? {
                return Ok(true);
            }
            tokio::time::sleep(pause).await;
        }
        Ok(false)
    }

    /// The oldest changes, at most `limit` of them. They stay in the outbox.
    ///
    /// Always reads from the oldest change on: a cursor over the numbers would lose changes that are committed late.
    ///
    /// # Errors
    /// [`Error`] if the database cannot be read.
    pub async fn batch(&self, limit: usize) -> Result<Vec<Change>, Error> {
        self.database.batch(limit).await
    }

    /// Removes changes that have been dealt with.
    ///
    /// # Errors
    /// [`Error`] if the database refuses; the changes are still there then.
    pub async fn acknowledge(&self, seqs: &[i64]) -> Result<(), Error> {
        self.database.acknowledge(seqs).await
    }

    /// Moves a change that can never be dealt with out of the way of the others, with the reason.
    ///
    /// # Errors
    /// [`Error`] if the database refuses; the change is still there then.
    pub async fn set_aside(&self, seq: i64, reason: &str) -> Result<(), Error> {
        self.database.set_aside(seq, reason).await
    }

    /// How many changes wait.
    ///
    /// # Errors
    /// [`Error`] if the database cannot be read.
    pub async fn depth(&self) -> Result<u64, Error> {
        self.database.depth().await
    }

    /// Takes or keeps the lead over other processes for `lease`; `false` if another one has it. `now` is the time since
    /// the Unix epoch.
    ///
    /// # Errors
    /// [`Error`] if the database refuses.
    pub async fn lead(&self, now: Duration, lease: Duration) -> Result<bool, Error> {
        self.database.lead(now, lease).await
    }

    /// Lets another process take the lead at once.
    ///
    /// # Errors
    /// [`Error`] if the database refuses; the lease then ends by itself.
    pub async fn resign(&self) -> Result<(), Error> {
        self.database.resign().await
    }
}

const POLL: Duration = Duration::from_millis(500);
const LOOKS: [Duration; 6] = [
    Duration::from_micros(200),
    Duration::from_micros(800),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
];
