//! PostgreSQL.

use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::Context;

use super::{Instance, client, fresh, program, shown};

/// A private PostgreSQL server; it stops when this process ends, and its folder is removed.
#[derive(Debug)]
pub struct Postgres {
    instance: Instance,
    folder: String,
}

impl Postgres {
    /// The server of this test binary, started when it is first asked for.
    ///
    /// # Panics
    /// If it cannot be started.
    #[expect(clippy::expect_used, reason = "a test without its server has failed")]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| {
            Self::start(&["fsync=off"]).expect("PostgreSQL is needed; `cargo xtask test` installs it")
        })
    }

    /// Starts a server with these settings beside the usual ones.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub fn start(settings: &[&str]) -> anyhow::Result<Self> {
        let mut instance = Instance::new("postgres", "QUIT", "ready to accept connections")?;
        let folder = shown(&instance.folder)?;
        let data = format!("{folder}/data");
        let init = ["-D", &data, "-U", "petasos", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
        instance.run(&program(&folders()?, "initdb"), &init)?;
        let usual = [
            "listen_addresses=",
            &format!("unix_socket_directories={folder}"),
            "max_connections=200",
            "shared_buffers=32MB",
            "timezone=UTC",
        ];
        instance.command = vec![program(&folders()?, "postgres"), "-D".to_owned(), data];
        for setting in usual.iter().chain(settings) {
            instance.command.extend(["-c".to_owned(), (*setting).to_owned()]);
        }
        instance.start()?;
        Ok(Self { instance, folder })
    }

    /// Creates an empty database; its URL.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn database(&self) -> anyhow::Result<String> {
        let name = fresh();
        let url = |name: &str| format!("postgres://petasos@localhost/{name}?host={}", self.folder);
        psql(&url("postgres"), &format!("CREATE DATABASE {name}"))?;
        Ok(url(&name))
    }

    /// Kills the server and starts it again on the same data.
    ///
    /// # Errors
    /// If it does not come back.
    pub fn restart(&self) -> anyhow::Result<()> {
        self.stop()?;
        self.go_on()
    }

    /// Kills the server; its data stay.
    ///
    /// # Errors
    /// If it does not run.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.instance.stop()
    }

    /// Starts the server that was stopped.
    ///
    /// # Errors
    /// If it does not come back.
    pub fn go_on(&self) -> anyhow::Result<()> {
        self.instance.start()
    }
}

/// Runs SQL through the `psql` program, a writer that knows nothing of the project; what it prints.
///
/// # Errors
/// If the program is missing or the SQL fails.
pub(crate) fn psql(url: &str, sql: &str) -> anyhow::Result<String> {
    client("psql", &["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url], sql)
}

/// Where Debian puts the programs, newest version first.
fn folders() -> anyhow::Result<Vec<PathBuf>> {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return Ok(Vec::new()) };
    let mut folders: Vec<PathBuf> = versions
        .map(|entry| entry.map(|entry| entry.path().join("bin")))
        .collect::<Result<_, _>>()
        .context("the folder of PostgreSQL cannot be read")?;
    folders.sort();
    folders.reverse();
    Ok(folders)
}
