//! What has to be created and dropped, found out from the catalogue.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, Statement};

use super::catalogue::{Catalogue, Name};
use super::triggers;
use crate::dialect::Dialect;
use crate::store::{Tables, texts};
use crate::{Error, Table};

/// The database that the connection works in.
pub(crate) async fn database(db: &impl ConnectionTrait) -> Result<String, Error> {
    let sql = "SELECT CAST(database() AS CHAR), CAST(version() AS CHAR)";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let row = row.ok_or_else(|| Error::Database("the server does not say what it is".to_owned()))?;
    let version: String = row.try_get_by_index(1)?;
    if is_too_old(&version) {
        return Err(Error::TooOld { found: version, needed: "MariaDB 10.5 or MySQL 8.0" });
    }
    let database: Option<String> = row.try_get_by_index(0)?;
    database.ok_or_else(|| Error::Database("DATABASE_URL names no database of the server".to_owned()))
}

fn is_too_old(version: &str) -> bool {
    // MariaDB may call itself `5.5.5-10.11.2-MariaDB` for the sake of old clients.
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut numbers = version.split(['.', '-']).map(|number| number.parse::<u32>().unwrap_or_default());
    let number = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    number < if version.contains("MariaDB") { (10, 5) } else { (8, 0) }
}

/// The statements that are needed now.
pub(crate) async fn plan(db: &impl ConnectionTrait, watched: &[Table]) -> Result<Vec<String>, Error> {
    let database = database(db).await?;
    let tables = Tables::new(Dialect::Mysql, Some(&database));
    let mut statements = schema(db, &database, &tables).await?;
    let catalogue = Catalogue::read(db, &database, watched).await?;
    let mut present = present(db, &tables).await?;
    for trigger in triggers::all(&tables, &catalogue)? {
        if !present.remove(&(trigger.schema, trigger.name)) {
            statements.push(trigger.create);
        }
    }
    let drop = |(schema, name): (String, String)| {
        format!("DROP TRIGGER IF EXISTS {}", Dialect::Mysql.qualified(Some(&schema), &name))
    };
    statements.extend(present.into_iter().map(drop));
    Ok(statements)
}

async fn schema(db: &impl ConnectionTrait, database: &str, tables: &Tables) -> Result<Vec<String>, Error> {
    let Tables { outbox, set_aside, meta, key, old } = tables;
    let sql = format!(
        "SELECT CAST(TABLE_NAME AS CHAR) FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = {} AND TABLE_NAME LIKE 'petasos\\_%'",
        Dialect::Mysql.text(database)
    );
    let present = texts(db, &sql).await?;
    let has = |name: &str| present.iter().any(|table| table == name);
    let mut statements = Vec::new();
    let columns = format!(
        "tbl varchar(255) NOT NULL, operation varchar(10) NOT NULL, {key} longtext NOT NULL, {old} longtext, \
         at_ms bigint NOT NULL"
    );
    if !has("petasos_outbox") {
        statements.push(format!(
            "CREATE TABLE IF NOT EXISTS {outbox} (seq bigint AUTO_INCREMENT PRIMARY KEY, {columns}) {OPTIONS}"
        ));
    }
    if !has("petasos_set_aside") {
        statements.push(format!(
            "CREATE TABLE IF NOT EXISTS {set_aside} (seq bigint PRIMARY KEY, {columns}, reason longtext NOT NULL, \
             at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP) {OPTIONS}"
        ));
    }
    if !has("petasos_meta") {
        statements.push(format!(
            "CREATE TABLE IF NOT EXISTS {meta} (name varchar(100) PRIMARY KEY, value varchar(1000) NOT NULL) {OPTIONS}"
        ));
        statements.push(format!("INSERT IGNORE INTO {meta} VALUES ('instance', uuid())"));
    }
    Ok(statements)
}

/// Our triggers, by schema and name; those of an outbox in another database are not ours.
async fn present(db: &impl ConnectionTrait, tables: &Tables) -> Result<BTreeSet<Name>, Error> {
    let sql = "SELECT CAST(TRIGGER_SCHEMA AS CHAR), CAST(TRIGGER_NAME AS CHAR), CAST(ACTION_STATEMENT AS CHAR) \
               FROM information_schema.TRIGGERS WHERE TRIGGER_NAME LIKE 'petasos\\_%'";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let mut found = BTreeSet::new();
    for row in rows {
        let body: String = row.try_get_by_index(2)?;
        if body.contains(&tables.outbox) {
            found.insert((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
        }
    }
    Ok(found)
}

const OPTIONS: &str = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        for old in ["10.4.30-MariaDB", "5.5.5-10.3.1-MariaDB", "5.7.44-log"] {
            assert!(is_too_old(old), "{old}");
        }
        for new in
            ["10.11.19-MariaDB-0+deb12u1", "5.5.5-10.11.2-MariaDB", "11.4.2-MariaDB", "8.0.36", "9.1.0"]
        {
            assert!(!is_too_old(new), "{new}");
        }
    }
}
