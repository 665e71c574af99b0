//! The tables of the outbox.

use sea_orm::ConnectionTrait;

use crate::Error;
use crate::store::texts;

/// The statements that create what is missing.
pub(crate) async fn plan(db: &impl ConnectionTrait) -> Result<Vec<String>, Error> {
    let tables =
        texts(db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'petasos%'").await?;
    let has = |name: &str| tables.iter().any(|table| table == name);
    let mut statements: Vec<String> =
        TABLES.iter().filter(|(name, _)| !has(name)).map(|(_, create)| (*create).to_owned()).collect();
    if !has("petasos_meta") {
        statements.push(INSTANCE.to_owned());
    }
    for table in ["petasos_outbox", "petasos_set_aside"].into_iter().filter(|table| has(table)) {
        let columns = texts(db, &format!("SELECT name FROM pragma_table_info('{table}')")).await?;
        if !columns.iter().any(|column| column == "at_ms") {
            statements.push(format!("ALTER TABLE {table} ADD COLUMN at_ms INTEGER NOT NULL DEFAULT 0"));
        }
    }
    if has("petasos_relay") {
        statements.push("DROP TABLE petasos_relay".to_owned());
    }
    Ok(statements)
}

/// `AUTOINCREMENT` never gives a number twice, even after the row is gone: event ids are made of it. Old rows are arrays of
/// objects, because the `sqlite3` program calls functions with at most 127 arguments.
const TABLES: [(&str, &str); 3] = [
    (
        "petasos_outbox",
        "CREATE TABLE petasos_outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, \
         operation TEXT NOT NULL, key TEXT NOT NULL, old TEXT, at_ms INTEGER NOT NULL DEFAULT 0)",
    ),
    (
        "petasos_set_aside",
        "CREATE TABLE petasos_set_aside (seq INTEGER PRIMARY KEY, tbl TEXT NOT NULL, operation TEXT NOT NULL, \
         key TEXT NOT NULL, old TEXT, at_ms INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL, \
         at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)",
    ),
    ("petasos_meta", "CREATE TABLE petasos_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)"),
];

const INSTANCE: &str = "INSERT INTO petasos_meta VALUES ('instance', lower(hex(randomblob(16))))";
