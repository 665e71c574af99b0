//! The names of our tables, and the statements about them.

use crate::dialect::Dialect;

/// The names of our tables, quoted, behind their schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pub(crate) outbox: String,
    pub(crate) set_aside: String,
    pub(crate) meta: String,
    /// The column of the key and that of the old row: one of them is a reserved word somewhere.
    pub(crate) key: String,
    pub(crate) old: String,
}

impl Tables {
    pub(crate) fn new(dialect: Dialect, schema: Option<&str>) -> Self {
        Self {
            outbox: dialect.qualified(schema, OUTBOX),
            set_aside: dialect.qualified(schema, SET_ASIDE),
            meta: dialect.qualified(schema, META),
            key: dialect.identifier("key"),
            old: dialect.identifier("old"),
        }
    }

    pub(crate) fn instance(&self) -> String {
        format!("SELECT value FROM {} WHERE name = 'instance'", self.meta)
    }

    pub(crate) fn has_changes(&self) -> String {
        // By the index: counting or `EXISTS` would walk over rows that are gone but not vacuumed yet.
        format!("SELECT seq FROM {} ORDER BY seq LIMIT 1", self.outbox)
    }

    pub(crate) fn batch(&self, limit: usize) -> String {
        let Self { outbox, key, old, .. } = self;
        format!("SELECT seq, tbl, operation, {key}, {old} FROM {outbox} ORDER BY seq LIMIT {limit}")
    }

    pub(crate) fn waiting_of(&self, bound: &str, limit: usize) -> String {
        format!("SELECT seq FROM {} WHERE tbl = {bound} ORDER BY seq LIMIT {limit}", self.outbox)
    }

    pub(crate) fn list_set_aside(&self, at: &str, limit: usize) -> String {
        let Self { set_aside, key, .. } = self;
        format!("SELECT seq, tbl, operation, {key}, reason, {at} FROM {set_aside} ORDER BY seq LIMIT {limit}")
    }

    /// Copies changes out of the outbox, `reason` being an expression.
    pub(crate) fn copy_aside(&self, reason: &str, condition: &str) -> String {
        let Self { outbox, set_aside, key, old, .. } = self;
        format!(
            "INSERT INTO {set_aside} (seq, tbl, operation, {key}, {old}, at_ms, reason) \
             SELECT seq, tbl, operation, {key}, {old}, at_ms, {reason} FROM {outbox} WHERE {condition}"
        )
    }

    pub(crate) fn copy_back(&self, condition: &str) -> String {
        let Self { outbox, set_aside, key, old, .. } = self;
        format!(
            "INSERT INTO {outbox} (seq, tbl, operation, {key}, {old}, at_ms) \
             SELECT seq, tbl, operation, {key}, {old}, at_ms FROM {set_aside} WHERE {condition}"
        )
    }
}

pub(crate) const OUTBOX: &str = "petasos_outbox";
pub(crate) const SET_ASIDE: &str = "petasos_set_aside";
pub(crate) const META: &str = "petasos_meta";
