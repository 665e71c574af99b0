//! Where the database is, for people who want to change it behind the API's back.

use std::path::Path;

use anyhow::Context;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

/// A database as its users know it.
#[derive(Debug)]
pub(crate) struct Place {
    /// The path of the SQLite file, relative to the working directory if it is below; nothing for any other database.
    pub(crate) file: Option<String>,
    /// What it is called.
    pub(crate) name: String,
}

/// Asks the database what it is.
///
/// # Errors
/// If the database does not answer.
pub(crate) async fn place(db: &DatabaseConnection) -> anyhow::Result<Place> {
    let (server, question) = match db.get_database_backend() {
        DbBackend::Sqlite => return file(db).await,
        DbBackend::Postgres => ("PostgreSQL", "SELECT current_database()::text"),
        _ => ("MariaDB or MySQL", "SELECT database()"),
    };
    let name = ask(db, question).await?;
    Ok(Place { file: None, name: format!("{name} ({server})") })
}

async fn file(db: &DatabaseConnection) -> anyhow::Result<Place> {
    let path = ask(db, "SELECT file FROM pragma_database_list WHERE name = 'main'").await?;
    if path.is_empty() {
        return Ok(Place { file: None, name: "in memory: it is gone when the shop closes".to_owned() });
    }
    let here = std::env::current_dir().unwrap_or_default();
    let short = Path::new(&path).strip_prefix(here).map_or(path.clone(), |below| below.display().to_string());
    Ok(Place { name: short.clone(), file: Some(short) })
}

async fn ask(db: &DatabaseConnection, question: &str) -> anyhow::Result<String> {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), question)).await?;
    Ok(row.context("the database does not say where it is")?.try_get_by_index(0)?)
}
