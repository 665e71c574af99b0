//! The outbox: where changes wait until they have been dealt with.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::DatabaseConnection;
use tokio::sync::Notify;

use crate::store::Store;
use crate::{Change, Error, SetAside, Status, Table};

/// The changes of a database that wait. Read by one relay at a time: [`Outbox::lead`].
#[derive(Debug)]
pub struct Outbox {
    store: Store,
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
    /// Creates the outbox and the triggers of these tables; tables that are no longer listed lose theirs. Doing it again
    /// changes nothing, and several processes may do it at once.
    ///
    /// # Errors
    /// [`Error`] if the database is of a kind that is not supported, refuses, or if a table cannot be watched.
    pub async fn install(db: &DatabaseConnection, tables: &[Table]) -> Result<Self, Error> {
        let store = Store::new(db, tables)?;
        store.install(tables).await?;
        Self::opened(store).await
    }

    /// Uses what is installed already, and changes nothing.
    ///
    /// # Errors
    /// [`Error::NotInstalled`] if anything is missing or of another version; otherwise as [`Outbox::install`].
    pub async fn check(db: &DatabaseConnection, tables: &[Table]) -> Result<Self, Error> {
        let store = Store::new(db, tables)?;
        match store.plan(tables).await?.first() {
            Some(first) => {
                let first = first.split_whitespace().collect::<Vec<_>>().join(" ");
                Err(Error::NotInstalled(first.chars().take(100).collect::<String>() + " ... was not run"))
            }
            None => Self::opened(store).await,
        }
    }

    /// What [`Outbox::install`] would run now, for a migration tool; nothing if everything is in place.
    ///
    /// # Errors
    /// As [`Outbox::install`].
    pub async fn plan(db: &DatabaseConnection, tables: &[Table]) -> Result<Vec<String>, Error> {
        Store::new(db, tables)?.plan(tables).await
    }

    /// Opens the outbox of a database to look at it and to mend it: its tables and triggers stay as they are.
    ///
    /// # Errors
    /// [`Error`] if the database cannot be opened or has no outbox.
    pub async fn open(url: &str) -> Result<Self, Error> {
        let mut options = sea_orm::ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false).connect_timeout(Duration::from_secs(10));
        let db = sea_orm::Database::connect(options).await?;
        Self::opened(Store::new(&db, &[])?).await
    }

    async fn opened(mut store: Store) -> Result<Self, Error> {
        let signal = Arc::new(Notify::new());
        store.open(Arc::clone(&signal)).await?;
        Ok(Self { store, signal, poll: POLL })
    }

    /// Looks for changes at least this often, even if nothing announces them. A fifth of a second by default.
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
        self.store.instance()
    }

    /// Resolves when a change waits. Only the relay that leads may call it.
    ///
    /// # Errors
    /// [`Error`] if the database cannot be read.
    pub async fn wait(&self) -> Result<(), Error> {
        for looks in 0.. {
            if self.store.has_changes().await? {
                self.store.woken().await?;
                break;
            }
            self.store.rest(looks, &self.signal, self.poll).await?;
        }
        Ok(())
    }

    /// The oldest changes, at most `limit` of them and not much more than eight megabytes. They stay in the outbox.
    ///
    /// Always reads from the oldest change on: a cursor over the numbers would lose changes that are committed late.
    ///
    /// # Errors
    /// [`Error`] if the database cannot be read.
    pub async fn batch(&self, limit: usize) -> Result<Vec<Change>, Error> {
        self.store.batch(limit).await
    }

    /// The numbers of the changes of one table that wait, the oldest first, at most `limit` of them.
    ///
    /// # Errors
    /// [`Error`] if the database cannot be read.
    pub async fn waiting_of(&self, table: &str, limit: usize) -> Result<Vec<i64>, Error> {
        self.store.waiting_of(table, limit).await
    }

    /// Removes changes that have been dealt with.
    ///
    /// # Errors
    /// [`Error`] if the database refuses; those that were not removed are still there then.
    pub async fn acknowledge(&self, seqs: &[i64]) -> Result<(), Error> {
        self.store.acknowledge(seqs).await
    }

    /// Moves a change that can never be dealt with out of the way of the others, with the reason.
    ///
    /// # Errors
    /// [`Error`] if the database refuses; the change is still there then.
    pub async fn set_aside(&self, seq: i64, reason: &str) -> Result<(), Error> {
        self.store.set_aside(seq, reason).await
    }

    /// How many changes wait, and since when.
    ///
    /// # Errors
    /// [`Error`] if the database cannot be read.
    pub async fn status(&self) -> Result<Status, Error> {
        self.store.status().await
    }

    /// The changes that were set aside, the oldest first, at most `limit` of them.
    ///
    /// # Errors
    /// [`Error`] if the database cannot be read.
    pub async fn list_set_aside(&self, limit: usize) -> Result<Vec<SetAside>, Error> {
        self.store.list_set_aside(limit).await
    }

    /// Puts changes that were set aside back among those that wait, all of them without a list; how many there were.
    ///
    /// # Errors
    /// [`Error`] if the database refuses; nothing has changed then.
    pub async fn retry(&self, seqs: Option<&[i64]>) -> Result<u64, Error> {
        self.store.retry(seqs).await
    }

    /// Forgets changes that were set aside, all of them without a list; how many there were.
    ///
    /// # Errors
    /// [`Error`] if the database refuses; nothing has changed then.
    pub async fn drop_set_aside(&self, seqs: Option<&[i64]>) -> Result<u64, Error> {
        self.store.drop_set_aside(seqs).await
    }

    /// Takes or keeps the lead over other processes; `false` if another one has it. It ends with the process, however
    /// that ends.
    ///
    /// # Errors
    /// [`Error`] if it cannot be known.
    pub async fn lead(&self) -> Result<bool, Error> {
        self.store.lead().await
    }

    /// Lets another process take the lead at once.
    ///
    /// # Errors
    /// [`Error`] if the database refuses; the lead then ends with the process.
    pub async fn resign(&self) -> Result<(), Error> {
        self.store.resign().await
    }
}

const POLL: Duration = Duration::from_millis(200);
