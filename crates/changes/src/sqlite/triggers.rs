//! The triggers that write into the outbox.
//!
//! They run inside the transaction of whoever writes, so they must never make a statement fail that would succeed without
//! them: bytes are written in hexadecimal and broken JSON as text, because SQLite refuses to put either into a document.
//!
//! `REPLACE` fires no delete trigger unless `recursive_triggers` is on: the row that is replaced is then reported as
//! inserted, with its new state, which is what subscribers need.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};

use crate::{Column, ColumnKind, Error, Table};

/// Creates the triggers that are missing or differ and drops those of tables that are no longer listed.
pub(crate) async fn install(connection: &mut SqliteConnection, tables: &[Table]) -> Result<(), Error> {
    let mut present = present(connection).await?;
    for (name, statement) in tables.iter().flat_map(statements) {
        match present.remove(&name) {
            Some(same) if same == statement => continue,
            Some(_) => drop_trigger(connection, &name).await?,
            None => {}
        }
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    for name in present.keys() {
        drop_trigger(connection, name).await?;
    }
    Ok(())
}

async fn present(connection: &mut SqliteConnection) -> Result<HashMap<String, String>, Error> {
    let query =
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'petasos\\_%' ESCAPE '\\'";
    let rows = sqlx::query(query).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("name")?, row.try_get("sql")?))).collect()
}

async fn drop_trigger(connection: &mut SqliteConnection, name: &str) -> Result<(), Error> {
    let statement = format!("DROP TRIGGER {}", identifier(name));
    sqlx::query(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

/// The triggers of a table, by name. An update that changes the key is a deletion of the old row and an insertion.
fn statements(table: &Table) -> Vec<(String, String)> {
    let (old_key, new_key) = (object("OLD", &table.key), object("NEW", &table.key));
    let old = array("OLD", &table.columns);
    let same: Vec<String> = table.key.iter().map(|column| same_value(&column.name)).collect();
    let same = same.join(" AND ");
    let insert = entry(table, "insert", &new_key, "NULL");
    let update = entry(table, "update", &new_key, &old);
    let delete = entry(table, "delete", &old_key, &old);
    [
        ("insert", "INSERT", String::new(), insert.clone()),
        ("update", "UPDATE", format!(" WHEN {same}"), update),
        ("move", "UPDATE", format!(" WHEN NOT ({same})"), format!("{delete} {insert}")),
        ("delete", "DELETE", String::new(), delete.clone()),
    ]
    .into_iter()
    .map(|(suffix, event, condition, body)| {
        let name = format!("petasos_{}_{suffix}", table.name);
        let (trigger, on) = (identifier(&name), identifier(&table.name));
        let statement = format!("CREATE TRIGGER {trigger} AFTER {event} ON {on}{condition} BEGIN {body} END");
        (name, statement)
    })
    .collect()
}

fn entry(table: &Table, operation: &str, key: &str, old: &str) -> String {
    let table = text(&table.name);
    format!(
        "INSERT INTO petasos_outbox (tbl, operation, key, old) VALUES ({table}, '{operation}', {key}, {old});"
    )
}

fn same_value(column: &str) -> String {
    let column = identifier(column);
    format!("OLD.{column} IS NEW.{column}")
}

fn array(row: &str, columns: &[Column]) -> String {
    let objects: Vec<String> = columns.chunks(COLUMNS_PER_CALL).map(|chunk| object(row, chunk)).collect();
    format!("json_array({})", objects.join(", "))
}

fn object(row: &str, columns: &[Column]) -> String {
    let members: Vec<String> = columns.iter().map(|column| member(row, column)).collect();
    format!("json_object({})", members.join(", "))
}

fn member(row: &str, column: &Column) -> String {
    let value = format!("{row}.{}", identifier(&column.name));
    let value = match column.kind {
        ColumnKind::Plain => format!("CASE typeof({value}) WHEN 'blob' THEN hex({value}) ELSE {value} END"),
        ColumnKind::Json => format!(
            "json(CASE WHEN {value} IS NULL THEN 'null' WHEN typeof({value}) = 'blob' THEN json_quote(hex({value})) \
             WHEN json_valid({value}) THEN {value} ELSE json_quote({value}) END)"
        ),
    };
    format!("{}, {value}", text(&column.name))
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

const COLUMNS_PER_CALL: usize = 50;
