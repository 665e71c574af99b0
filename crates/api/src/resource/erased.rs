//! A resource without its Rust types: what the HTTP layer and the relay work with.

use std::collections::HashMap;

use futures_util::future::BoxFuture;
use petasos_changes::{Operation, Table};
use sea_orm::{DatabaseConnection, DbErr, Value as DbValue};
use serde_json::{Map, Value};

use super::{Info, ListQuery, LiveRow, Violation};
use crate::live::Setup;

/// A row as documents show it: values by field, in the order of the model, without `@` members.
pub(crate) type Item = Map<String, Value>;

/// One page of a list.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) items: Vec<Item>,
    /// How many there are on all pages.
    pub(crate) total: u64,
}

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// A rule of the database; the client can do something about it.
    #[error("a rule of the database was violated")]
    Violated(Violation),
    /// Too many writers at the moment.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// Anything else is not the client's fault.
    #[error("{0}")]
    Failed(String),
}

/// A row of the database, addressed by its key.
pub(crate) type Key = Vec<(usize, DbValue)>;

pub(crate) trait ErasedResource: Send + Sync {
    fn info(&self) -> &Info;

    fn table(&self) -> Table;

    /// Creates the table if there is none.
    fn create_table<'a>(&'a self, db: &'a DatabaseConnection) -> BoxFuture<'a, Result<(), DbErr>>;

    /// The last segment of the row's IRI, percent-encoded.
    fn id(&self, item: &Item) -> String;

    /// The last segment of the IRI of the row with this key.
    fn canonical_id(&self, key: &Key) -> String;

    /// The last segment of the IRI of a changed row, from its key columns.
    fn changed_id(&self, key: &Map<String, Value>) -> Option<String>;

    /// The key that the last segment of an IRI names; `None` if there can be no such row.
    fn key(&self, id: &str) -> Option<Key>;

    fn list<'a>(
        &'a self,
        db: &'a DatabaseConnection,
        query: &'a ListQuery,
    ) -> BoxFuture<'a, Result<Page, StoreError>>;

    fn find<'a>(
        &'a self,
        db: &'a DatabaseConnection,
        key: &'a Key,
    ) -> BoxFuture<'a, Result<Option<Item>, StoreError>>;

    /// What the attribute says of publishing, and whether a function says the rest; nothing if it is not live.
    fn setup(&self) -> Option<(&Setup, bool)>;

    /// A row with what the relay needs.
    fn find_row<'a>(
        &'a self,
        db: &'a DatabaseConnection,
        key: Key,
        operation: Operation,
    ) -> BoxFuture<'a, Result<Option<LiveRow<'a>>, StoreError>>;

    /// The same of many rows, by the last segments of their IRIs. A row that is not among them has to be looked for by
    /// itself: it is gone, or cannot be read.
    fn find_rows<'a>(
        &'a self,
        db: &'a DatabaseConnection,
        asked: Vec<(String, Key, Operation)>,
    ) -> BoxFuture<'a, Result<HashMap<String, LiveRow<'a>>, StoreError>>;

    /// The same of a row that is gone, from its columns in the outbox.
    fn old_row(&self, old: &Map<String, Value>) -> Result<LiveRow<'_>, String>;

    fn create<'a>(
        &'a self,
        db: &'a DatabaseConnection,
        values: Key,
    ) -> BoxFuture<'a, Result<Item, StoreError>>;

    /// Writes values into a row; `None` if there is no such row.
    fn update<'a>(
        &'a self,
        db: &'a DatabaseConnection,
        key: &'a Key,
        values: Key,
    ) -> BoxFuture<'a, Result<Option<Item>, StoreError>>;

    /// Whether there was such a row.
    fn delete<'a>(
        &'a self,
        db: &'a DatabaseConnection,
        key: &'a Key,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;
}
