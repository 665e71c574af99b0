//! The triggers that write into the outbox.
//!
//! They run inside the transaction of whoever writes, so they must never make a statement fail that would succeed without
//! them: bytes are written in hexadecimal and broken JSON as text, because SQLite refuses to put either into a document.
//!
//! `REPLACE` fires no delete trigger unless `recursive_triggers` is on: the row that is replaced is then reported as
//! inserted, with its new state, which is what subscribers need.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, Statement};

use crate::dialect::Dialect;
use crate::store::texts;
use crate::{Column, ColumnKind, Error, Table};

/// The statements that create the triggers that are missing or differ and drop those of tables that are no longer listed.
pub(crate) async fn plan(db: &impl ConnectionTrait, tables: &[Table]) -> Result<Vec<String>, Error> {
    let mut present = present(db).await?;
    let mut statements = Vec::new();
    for table in tables {
        check(db, table).await?;
        for (name, statement) in triggers(table) {
            match present.remove(&name) {
                Some(same) if same == statement => continue,
                Some(_) => statements.push(drop_trigger(&name)),
                None => {}
            }
            statements.push(statement);
        }
    }
    statements.extend(present.keys().map(|name| drop_trigger(name)));
    Ok(statements)
}

/// A trigger that names what is not there would make every write fail.
async fn check(db: &impl ConnectionTrait, table: &Table) -> Result<(), Error> {
    if table.schema.as_ref().is_some_and(|schema| schema != "main") {
        return Err(Error::Unsupported(format!("{:?}, a table in a database that is attached,", table.id())));
    }
    let columns = texts(db, &format!("SELECT name FROM pragma_table_xinfo({})", text(&table.name))).await?;
    if columns.is_empty() {
        return Err(Error::NoTable(table.id()));
    }
    let missing = table
        .columns
        .iter()
        .chain(&table.key)
        .find(|column| !columns.iter().any(|name| name.eq_ignore_ascii_case(&column.name)));
    match missing {
        Some(column) => Err(Error::NoColumn { table: table.id(), column: column.name.clone() }),
        None => Ok(()),
    }
}

async fn present(db: &impl ConnectionTrait) -> Result<BTreeMap<String, String>, Error> {
    let query =
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'petasos\\_%' ESCAPE '\\'";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), query)).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}

fn drop_trigger(name: &str) -> String {
    format!("DROP TRIGGER {}", identifier(name))
}

/// The triggers of a table, by name. An update that changes the key is a deletion of the old row and an insertion.
fn triggers(table: &Table) -> Vec<(String, String)> {
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
    let table = text(&table.id());
    format!(
        "INSERT INTO petasos_outbox (tbl, operation, key, old, at_ms) VALUES ({table}, '{operation}', {key}, {old}, {NOW});"
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
        ColumnKind::Json => format!(
            "json(CASE WHEN {value} IS NULL THEN 'null' WHEN typeof({value}) = 'blob' THEN json_quote(hex({value})) \
             WHEN json_valid({value}) THEN {value} ELSE json_quote({value}) END)"
        ),
        // Seventeen digits are what it takes to write a double without loss; infinities cannot be written.
        _ => format!(
            "CASE typeof({value}) WHEN 'blob' THEN hex({value}) WHEN 'real' THEN \
             CASE WHEN abs({value}) < 1e308 THEN json(printf('%!.17g', {value})) ELSE CAST({value} AS TEXT) END \
             ELSE {value} END"
        ),
    };
    format!("{}, {value}", text(&column.name))
}

fn identifier(name: &str) -> String {
    Dialect::Sqlite.identifier(name)
}

fn text(value: &str) -> String {
    Dialect::Sqlite.text(value)
}

const COLUMNS_PER_CALL: usize = 50;
/// Milliseconds since 1970, in a way that old versions of SQLite know.
const NOW: &str = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";
