//! Where the database is, for people who want to change it behind the API's back.

use std::path::Path;

use anyhow::Context;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

/// The path of the SQLite file, relative to the working directory if it is below; `None` for a database in memory.
///
/// # Errors
/// If the database does not answer.
pub(crate) async fn file(db: &DatabaseConnection) -> anyhow::Result<Option<String>> {
    let question = "SELECT file FROM pragma_database_list WHERE name = 'main'";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), question)).await?;
    let path: String = row.context("the database does not say where it is")?.try_get("", "file")?;
    let here = std::env::current_dir().unwrap_or_default();
    let short = Path::new(&path).strip_prefix(here).map_or(path.clone(), |below| below.display().to_string());
    Ok(Some(short).filter(|path| !path.is_empty()))
}
