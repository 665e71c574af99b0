//! What happened to a row.

use serde_json::{Map, Value};

/// One committed change of one row.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// Its number in the outbox; later changes of a row have higher numbers.
    pub seq: i64,
    /// The table of the row.
    pub table: String,
    /// What was done.
    pub operation: Operation,
    /// The columns of the row's primary key, by name.
    pub key: Map<String, Value>,
    /// The row before the change, by column; nothing before an insertion.
    pub old: Option<Map<String, Value>>,
}

/// What is done to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The row is new.
    Insert,
    /// The row has other values.
    Update,
    /// The row is gone.
    Delete,
}

impl Operation {
    /// Its name in the outbox.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Insert, Self::Update, Self::Delete].into_iter().find(|operation| operation.as_str() == name)
    }
}
