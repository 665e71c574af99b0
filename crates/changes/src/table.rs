//! What is watched.

/// A table whose changes are noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The columns of its primary key; not empty.
    pub key: Vec<Column>,
    /// All columns whose old values are kept, those of the key included.
    pub columns: Vec<Column>,
}

impl Table {
    /// A table with these columns.
    #[must_use]
    pub fn new(name: impl Into<String>, key: Vec<Column>, columns: Vec<Column>) -> Self {
        Self { name: name.into(), key, columns }
    }
}

/// A column of a [`Table`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
}

impl Column {
    /// A column.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: ColumnKind) -> Self {
        Self { name: name.into(), kind }
    }
}

/// How the value of a column becomes JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnKind {
    /// Numbers and texts as they are; bytes in hexadecimal.
    Plain,
    /// A JSON document that is kept as text.
    Json,
}
