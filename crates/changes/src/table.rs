//! What is watched.

/// A table whose changes are noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// The schema that it is in (on MariaDB and MySQL: the database), unless it is the one of the connection.
    pub schema: Option<String>,
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
        Self { schema: None, name: name.into(), key, columns }
    }

    /// The same table in a schema.
    #[must_use]
    pub fn in_schema(mut self, schema: Option<&str>) -> Self {
        self.schema = schema.map(str::to_owned);
        self
    }

    /// What changes call it: its name, behind its schema and a dot if it has one.
    #[must_use]
    pub fn id(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
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

/// How the value of a column becomes JSON, the same way on every database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnKind {
    /// A truth value, which some databases keep as a number.
    Boolean,
    /// Bytes, in upper-case hexadecimal.
    Bytes,
    /// A time without a zone: `2026-12-31T23:59:00`.
    DateTime,
    /// A number that must not lose a digit, as a text.
    Decimal,
    /// A JSON document.
    Json,
    /// Numbers and texts as they are; bytes in hexadecimal.
    Plain,
    /// A moment: `2026-12-31T23:59:00Z`.
    Timestamp,
    /// A UUID with its hyphens, even if the database keeps bytes.
    Uuid,
}
