//! What differs between databases in the statements that all of them understand.

use sea_orm::DbBackend;
#[cfg(any(feature = "mysql", feature = "postgres"))]
use sha2::{Digest, Sha256};

/// A database's way of writing SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "the feature is off"))]
    Postgres,
    #[cfg_attr(not(feature = "mysql"), allow(dead_code, reason = "the feature is off"))]
    Mysql,
}

impl Dialect {
    pub(crate) fn backend(self) -> DbBackend {
        match self {
            Self::Sqlite => DbBackend::Sqlite,
            Self::Postgres => DbBackend::Postgres,
            Self::Mysql => DbBackend::MySql,
        }
    }

    /// A name as an identifier.
    pub(crate) fn identifier(self, name: &str) -> String {
        let quote = if self == Self::Mysql { '`' } else { '"' };
        format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
    }

    /// A name behind its schema.
    pub(crate) fn qualified(self, schema: Option<&str>, name: &str) -> String {
        match schema {
            Some(schema) => format!("{}.{}", self.identifier(schema), self.identifier(name)),
            None => self.identifier(name),
        }
    }

    /// A text as a literal.
    pub(crate) fn text(self, value: &str) -> String {
        let value = value.replace('\'', "''");
        match self {
            // In a string, the backslash escapes unless a mode says otherwise.
            Self::Mysql => format!("'{}'", value.replace('\\', "\\\\")),
            Self::Sqlite => format!("'{value}'"),
            Self::Postgres if value.contains('\\') => format!("E'{}'", value.replace('\\', "\\\\")),
            Self::Postgres => format!("'{value}'"),
        }
    }

    /// The place of a bound value.
    pub(crate) fn bound(self, number: usize) -> String {
        match self {
            Self::Postgres => format!("${number}"),
            Self::Sqlite | Self::Mysql => "?".to_owned(),
        }
    }
}

/// Sixteen hexadecimal digits that stand for a text.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) fn short_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes())[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A number that stands for a text.
#[cfg(feature = "postgres")]
pub(crate) fn number(text: &str) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&Sha256::digest(text.as_bytes())[..8]);
    i64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_cannot_break_out() {
        assert_eq!(Dialect::Sqlite.identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(Dialect::Mysql.qualified(Some("s"), "a`b"), "`s`.`a``b`");
        assert_eq!(Dialect::Postgres.text("a'b"), "'a''b'");
        assert_eq!(Dialect::Postgres.text("a\\'b"), "E'a\\\\''b'");
        assert_eq!(Dialect::Mysql.text("a\\'b"), "'a\\\\''b'");
    }
}
