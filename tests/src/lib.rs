//! What the end-to-end scenarios share: a bookshop of one's own on a free port.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use petasos_testkit::{Process, Stream, sqlite};
use tempfile::TempDir;

mod document;
pub use document::blocks;
mod gate;
pub use gate::{Gate, Refusal};
mod reader;
pub use reader::Reader;

/// The real bookshop with a database of its own; stopped when dropped.
#[derive(Debug)]
pub struct Bookshop {
    /// The running program.
    pub process: Process,
    /// The root of its origin, without a final slash.
    pub url: String,
    /// The hub that it announced.
    pub hub: String,
    folder: TempDir,
    /// Where its database is, unless it is where shops keep theirs.
    server: Option<String>,
}

impl Bookshop {
    /// Opens a shop on a free port, with these variables besides.
    ///
    /// # Errors
    /// If it does not open.
    pub fn open(variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let listen = [("PETASOS_LISTEN", "127.0.0.1:0")];
        let mut process = Process::start("bookshop", &[], &[&listen, variables].concat(), folder.path())?;
        let url = process.url("page")?.trim_end_matches('/').to_owned();
        let hub = process.url("hub")?;
        let server = variables.iter().find(|(name, _)| *name == "DATABASE_URL");
        let server = server.map(|(_, url)| (*url).to_owned());
        Ok(Self { process, url, hub, folder, server })
    }

    /// The database file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("data/bookshop.db")
    }

    /// Runs SQL on the database, from another program.
    ///
    /// # Errors
    /// If it fails.
    pub fn sql(&self, sql: &str) -> anyhow::Result<String> {
        match &self.server {
            Some(url) => petasos_testkit::sql(url, sql),
            None => sqlite(&self.database(), sql),
        }
    }

    /// Subscribes to the books, as the hub is announced.
    ///
    /// # Errors
    /// If the hub refuses.
    pub fn books(&self) -> anyhow::Result<Stream> {
        Stream::open(&format!("{}?match_urlpattern={}/books/:id", self.hub, self.url), &[])
    }
}
