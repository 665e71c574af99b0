//! Reads rows of the outbox: the same JSON from every database.

use std::collections::HashMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::{Change, Column, ColumnKind, Operation, Table};

/// A row as the database gives it.
#[derive(Clone, Debug)]
pub(crate) struct RawRow {
    pub(crate) seq: i64,
    pub(crate) table: String,
    pub(crate) operation: String,
    pub(crate) key: String,
    pub(crate) old: Option<String>,
}

impl RawRow {
    /// Bytes that it holds in memory, about.
    pub(crate) fn size(&self) -> usize {
        self.key.len() + self.old.as_ref().map_or(0, String::len) + 64
    }

    /// Reads it; the error is for a row that nobody will ever be able to read.
    pub(crate) fn read(self, tables: &HashMap<String, Table>) -> Result<Change, String> {
        let Some(operation) = Operation::from_name(&self.operation) else {
            return Err(format!("the operation {:?} is unknown", self.operation));
        };
        let table = tables.get(&self.table);
        let key_columns = table.map_or(&[][..], |table| &table.key);
        let columns = table.map_or(&[][..], |table| &table.columns);
        let key = object(&self.key, key_columns)?;
        let old = self.old.map(|old| object(&old, columns)).transpose()?;
        Ok(Change { seq: self.seq, table: self.table, operation, key, old })
    }
}

/// An object, or an array of objects that are pieces of one.
fn object(text: &str, columns: &[Column]) -> Result<Map<String, Value>, String> {
    let unreadable = |error: serde_json::Error| format!("the row cannot be read: {error}");
    let mut object: Map<String, Value> = if text.starts_with('[') {
        let pieces: Vec<Map<String, Value>> = serde_json::from_str(text).map_err(unreadable)?;
        pieces.into_iter().flatten().collect()
    } else {
        serde_json::from_str(text).map_err(unreadable)?
    };
    let numbers = columns.iter().any(|column| {
        column.kind == ColumnKind::Decimal && object.get(&column.name).is_some_and(Value::is_number)
    });
    // A number of JSON is a double once it is read: decimals are taken as they are written.
    let raw: HashMap<String, Box<RawValue>> = if numbers && !text.starts_with('[') {
        serde_json::from_str(text).map_err(unreadable)?
    } else {
        HashMap::new()
    };
    for column in columns {
        if let Some(value) = object.get_mut(&column.name) {
            match raw.get(&column.name).filter(|_| column.kind == ColumnKind::Decimal && value.is_number()) {
                Some(raw) => *value = Value::from(raw.get()),
                None => normalise(value, column.kind),
            }
        }
    }
    Ok(object)
}

/// Makes of a value what every database would have made of it; a value that is not of its kind stays as it is.
fn normalise(value: &mut Value, kind: ColumnKind) {
    let replacement = match (kind, &*value) {
        (ColumnKind::Boolean, Value::Number(number)) => {
            number.as_i64().map(|number| Value::from(number != 0))
        }
        (ColumnKind::Bytes, Value::String(text)) => {
            text.strip_prefix("\\x").map(|digits| Value::from(digits.to_ascii_uppercase()))
        }
        (ColumnKind::DateTime, Value::String(text)) => with_t(text).map(Value::from),
        (ColumnKind::Timestamp, Value::String(text)) => Some(Value::from(with_zone(text))),
        (ColumnKind::Decimal, Value::Number(number)) => Some(Value::from(number.to_string())),
        (ColumnKind::Uuid, Value::String(text)) => hyphenated(text).map(Value::from),
        _ => None,
    };
    if let Some(replacement) = replacement {
        *value = replacement;
    }
}

/// `2026-12-31 23:59:00` with a `T` in the middle.
fn with_t(text: &str) -> Option<String> {
    (text.as_bytes().get(10) == Some(&b' ')).then(|| format!("{}T{}", &text[..10], &text[11..]))
}

fn with_zone(text: &str) -> String {
    let text = with_t(text).unwrap_or_else(|| text.to_owned());
    let has_zone = text.get(11..).is_none_or(|time| time.contains(['Z', '+', '-']));
    if has_zone { text } else { format!("{text}Z") }
}

fn hyphenated(text: &str) -> Option<String> {
    let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let text = is_hex.then(|| text.to_ascii_lowercase())?;
    Some([&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(kind: ColumnKind, value: &str) -> Value {
        let text = format!("{{\"c\":{value}}}");
        object(&text, &[Column::new("c", kind)]).unwrap().remove("c").unwrap()
    }

    #[test]
    fn every_database_comes_to_the_same_values() {
        use ColumnKind::{Boolean, Bytes, DateTime, Decimal, Json, Plain, Timestamp, Uuid};
        for (kind, written, expected) in [
            (Boolean, "1", json!(true)),
            (Boolean, "false", json!(false)),
            (Bytes, "\"\\\\x00ff\"", json!("00FF")),
            (Bytes, "\"00FF\"", json!("00FF")),
            (Decimal, "12345678901234567890.123456789", json!("12345678901234567890.123456789")),
            (Decimal, "\"1.50\"", json!("1.50")),
            (Json, "[1]", json!([1])),
            (Json, "\"[1]\"", json!("[1]")),
            (Json, "\"no json\"", json!("no json")),
            (Plain, "\"[1]\"", json!("[1]")),
            (DateTime, "\"2026-12-31 23:59:00.5\"", json!("2026-12-31T23:59:00.5")),
            (Timestamp, "\"2026-12-31 23:59:00\"", json!("2026-12-31T23:59:00Z")),
            (Timestamp, "\"2026-12-31T23:59:00+01:00\"", json!("2026-12-31T23:59:00+01:00")),
            (Uuid, "\"00112233445566778899AABBCCDDEEFF\"", json!("00112233-4455-6677-8899-aabbccddeeff")),
            (Uuid, "null", json!(null)),
            (
                Timestamp,
                "\"\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\"",
                json!("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"),
            ),
        ] {
            assert_eq!(read(kind, written), expected, "{kind:?} {written}");
        }
        let pieces = object("[{\"a\":1},{\"b\":2}]", &[]).unwrap();
        assert_eq!(Value::Object(pieces), json!({"a": 1, "b": 2}));
        assert!(object("garbage", &[]).is_err());
    }
}
