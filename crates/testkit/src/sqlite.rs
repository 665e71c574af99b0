//! The `sqlite3` program: a writer that knows nothing of the project.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// Runs SQL on a database file; what the program prints.
///
/// # Errors
/// If the program is missing or the SQL fails.
pub fn sqlite(file: &Path, sql: &str) -> anyhow::Result<String> {
    let output = Command::new("sqlite3").arg("-cmd").arg(".timeout 10000").arg(file).arg(sql).output();
    let output = output.context("the sqlite3 program is needed; `cargo xtask test` installs it")?;
    ensure!(output.status.success(), "sqlite3: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
