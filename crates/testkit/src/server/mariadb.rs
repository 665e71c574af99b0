//! MariaDB.

use std::path::PathBuf;
use std::sync::OnceLock;

use super::{Instance, client, fresh, program, shown};

/// A private MariaDB server; it stops when this process ends, and its folder is removed.
#[derive(Debug)]
pub struct MariaDb {
    instance: Instance,
    socket: String,
}

impl MariaDb {
    /// The server of this test binary, started when it is first asked for.
    ///
    /// # Panics
    /// If it cannot be started.
    #[expect(clippy::expect_used, reason = "a test without its server has failed")]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<MariaDb> = OnceLock::new();
        let quick = ["--innodb-flush-log-at-trx-commit=0"];
        SHARED.get_or_init(|| Self::start(&quick).expect("MariaDB is needed; `cargo xtask test` installs it"))
    }

    /// Starts a server with these options beside the usual ones.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub fn start(options: &[&str]) -> anyhow::Result<Self> {
        let mut instance = Instance::new("mysql", "KILL", "ready for connections")?;
        let folder = shown(&instance.folder)?;
        let data = format!("--datadir={folder}/data");
        let init = [
            "--no-defaults",
            &data,
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ];
        let folders = ["/usr/sbin", "/usr/bin"].map(PathBuf::from);
        instance.run(&program(&folders, "mariadb-install-db"), &init)?;
        let socket = format!("{folder}/socket");
        instance.command = vec![
            program(&folders, "mariadbd"),
            "--no-defaults".to_owned(),
            data,
            format!("--socket={socket}"),
            format!("--pid-file={folder}/pid"),
            "--skip-networking".to_owned(),
            "--innodb-buffer-pool-size=64M".to_owned(),
        ];
        instance.command.extend(options.iter().map(|option| (*option).to_owned()));
        instance.start()?;
        Ok(Self { instance, socket })
    }

    /// Creates an empty database; its URL.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn database(&self) -> anyhow::Result<String> {
        let name = fresh();
        let url = |name: &str| format!("mysql://root@localhost/{name}?socket={}", self.socket);
        mariadb(&url("mysql"), &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"))?;
        Ok(url(&name))
    }

    /// Kills the server and starts it again on the same data.
    ///
    /// # Errors
    /// If it does not come back.
    pub fn restart(&self) -> anyhow::Result<()> {
        self.instance.stop()?;
        self.instance.start()
    }
}

/// Runs SQL through the `mariadb` program, a writer that knows nothing of the project; what it prints.
///
/// # Errors
/// If the program is missing or the SQL fails.
pub(crate) fn mariadb(url: &str, sql: &str) -> anyhow::Result<String> {
    let (name, socket) = parts(url).unwrap_or_default();
    let socket = format!("--socket={socket}");
    client("mariadb", &["--no-defaults", "--batch", "--skip-column-names", "--user=root", &socket, name], sql)
}

/// The database and the socket that a URL of ours names.
fn parts(url: &str) -> Option<(&str, &str)> {
    let (rest, socket) = url.split_once("?socket=")?;
    Some((rest.rsplit('/').next()?, socket))
}
