//! Private database servers: started on a socket in a folder of their own, gone with the test that started them.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail, ensure};

mod mariadb;
pub use mariadb::MariaDb;
mod postgres;
pub use postgres::Postgres;

/// A folder and the server that runs in it.
#[derive(Debug)]
struct Instance {
    folder: PathBuf,
    account: Option<(u32, u32)>,
    command: Vec<String>,
    /// The signal that ends the server at once, and what it says when it is ready.
    signal: &'static str,
    ready: &'static str,
    guard: Mutex<Option<Child>>,
}

impl Instance {
    /// A folder for the server; `account` is whom it runs as if we are root, which no server wants to be.
    fn new(account: &str, signal: &'static str, ready: &'static str) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("petasos-").tempdir()?.keep();
        let account = if std::fs::metadata("/proc/self")?.uid() == 0 {
            let account = ids(account)?;
            chown(&folder, Some(account.0), Some(account.1))?;
            Some(account)
        } else {
            None
        };
        Ok(Self { folder, account, command: Vec::new(), signal, ready, guard: Mutex::new(None) })
    }

    /// Runs a program as the server's account and waits for it; what it prints.
    fn run(&self, program: &str, args: &[&str]) -> anyhow::Result<String> {
        let mut command = self.as_account(Command::new(program));
        let output = command.args(args).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("{program} cannot be started"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program} {args:?}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    fn as_account(&self, mut command: Command) -> Command {
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command.current_dir(&self.folder).env("LC_ALL", "C");
        command
    }

    /// Starts the server, and waits until it says that it is ready.
    fn start(&self) -> anyhow::Result<()> {
        let mut guard = self.guard();
        ensure!(guard.is_none(), "the server runs already");
        let mut shell = self.as_account(Command::new("sh"));
        // The shell outlives us by as long as it takes to end the server: its input ends with this process, however that
        // ends. Then nobody needs the folder either.
        let script = format!(
            "\"$@\" </dev/null & server=$!; echo $server; read line; kill -{} $server; wait $server; \
             [ \"$line\" = keep ] || rm -rf \"$PETASOS_FOLDER\"",
            self.signal
        );
        shell.arg("-c").arg(script).arg("sh").args(&self.command).env("PETASOS_FOLDER", &self.folder);
        // It is in no group that a terminal interrupts, and its servers share no output with the tests.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = shell.spawn().context("sh cannot be started")?;
        let mut lines = BufReader::new(child.stderr.take().context("no pipe")?).lines();
        let mut said = String::new();
        for line in lines.by_ref() {
            let line = line?;
            if line.contains(self.ready) {
                std::thread::spawn(move || lines.for_each(drop));
                *guard = Some(child);
                return Ok(());
            }
            said.push_str(&line);
            said.push('\n');
        }
        bail!("the server ended before it was ready: {said}")
    }

    /// Ends the server at once, as a crash would, and keeps its folder.
    fn stop(&self) -> anyhow::Result<()> {
        use std::io::Write;
        let mut child = self.guard().take().context("the server does not run")?;
        child.stdin.take().context("no pipe")?.write_all(b"keep\n")?;
        child.wait()?;
        Ok(())
    }

    fn guard(&self) -> MutexGuard<'_, Option<Child>> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs SQL through a client program of the database; what it prints.
fn client(program: &str, args: &[&str], sql: &str) -> anyhow::Result<String> {
    use std::io::Write;
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} is needed; `cargo xtask test` installs it"))?;
    child.stdin.take().context("no pipe")?.write_all(sql.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// User and group of an account; those of `nobody` if there is no such account.
fn ids(account: &str) -> anyhow::Result<(u32, u32)> {
    let accounts = std::fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find(account).or_else(|| find("nobody")).context("the server needs an account to run as")
}

/// The program in one of the folders, or by its mere name.
fn program(folders: &[PathBuf], name: &str) -> String {
    let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    found.map_or_else(|| name.to_owned(), |path| path.display().to_string())
}

/// A name that no other database of the server has.
fn fresh() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn shown(path: &Path) -> anyhow::Result<String> {
    path.to_str().map(str::to_owned).context("a path that is no text")
}

/// Runs SQL on a database of one of our servers, through the program that belongs to it; what it prints.
///
/// # Errors
/// If the program is missing or the SQL fails.
pub fn sql(url: &str, sql: &str) -> anyhow::Result<String> {
    match url.split_once("://") {
        Some(("postgres", _)) => postgres::psql(url, sql),
        Some(("sqlite", rest)) => crate::sqlite(Path::new(rest.split('?').next().unwrap_or_default()), sql),
        _ => mariadb::mariadb(url, sql),
    }
}
