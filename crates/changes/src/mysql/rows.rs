//! Rows as JSON, written by a trigger.

use std::collections::HashMap;

use super::catalogue::Watched;
use crate::dialect::Dialect;
use crate::{Column, ColumnKind};

impl Watched {
    /// The key of a row, `changed` naming the expressions of columns that get other values.
    pub(crate) fn key(&self, row: &str, changed: &HashMap<&str, String>) -> String {
        self.object(row, &self.table.key, changed)
    }

    pub(crate) fn row(&self, row: &str) -> String {
        self.object(row, &self.table.columns, &HashMap::new())
    }

    fn object(&self, row: &str, columns: &[Column], changed: &HashMap<&str, String>) -> String {
        let member = |column: &Column| {
            let name = column.name.as_str();
            let own = || format!("{row}.{}", Dialect::Mysql.identifier(name));
            let value = changed.get(name).cloned().unwrap_or_else(own);
            let data_type = self.types.get(name).map_or("", String::as_str);
            format!("{}, {}", Dialect::Mysql.text(name), value_as_json(&value, column.kind, data_type))
        };
        format!("JSON_OBJECT({})", columns.iter().map(member).collect::<Vec<_>>().join(", "))
    }
}

/// It must never make a statement fail that would succeed without it: broken JSON becomes a text.
fn value_as_json(value: &str, kind: ColumnKind, data_type: &str) -> String {
    match data_type {
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => format!("HEX({value})"),
        "decimal" => format!("CAST({value} AS CHAR)"),
        "bit" => format!("{value} + 0"),
        "json" => value.to_owned(),
        // The server turns it into the zone of whoever writes.
        "timestamp" => format!("CONVERT_TZ({value}, @@session.time_zone, '+00:00')"),
        _ if kind == ColumnKind::Json => format!(
            "IF({value} IS NULL, NULL, JSON_EXTRACT(IF(JSON_VALID({value}), {value}, JSON_QUOTE({value})), '$'))"
        ),
        _ => value.to_owned(),
    }
}
