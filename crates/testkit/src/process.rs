//! The real binaries, started and stopped.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use anyhow::{Context, bail};

use crate::PATIENCE;

/// A running binary of this workspace; stopped when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    errors: Option<thread::JoinHandle<String>>,
}

impl Process {
    /// Starts a binary in a folder, with these arguments and with no environment but `variables`.
    ///
    /// # Errors
    /// If it is not built or cannot be started.
    pub fn start(
        name: &str,
        args: &[&str],
        variables: &[(&str, &str)],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(binary(name)?);
        Self::spawn(command.args(args).env_clear().envs(variables.iter().copied()).current_dir(folder))
    }

    /// Starts any program.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", command.get_program().display()))?;
        let stdout = BufReader::new(child.stdout.take().context("no pipe")?);
        let mut stderr = child.stderr.take().context("no pipe")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let errors = thread::spawn(move || {
            let mut text = String::new();
            match stderr.read_to_string(&mut text) {
                Ok(_) => text,
                Err(error) => format!("{text} (broken off: {error})"),
            }
        });
        Ok(Self { child, lines, errors: Some(errors) })
    }

    /// Waits for a line that holds `label` followed by a URL, and returns the URL.
    ///
    /// # Errors
    /// If the program ends or says nothing like it in a minute.
    pub fn url(&mut self, label: &str) -> anyhow::Result<String> {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                let status = self.child.try_wait()?;
                bail!("the program never announced its {label} (it ended: {status:?}): {}", self.kill()?);
            };
            let mut words = line.split_whitespace();
            if words.next() == Some(label)
                && let Some(url) = words.next().filter(|url| url.starts_with("http"))
            {
                return Ok(url.to_owned());
            }
        }
    }

    /// Waits for a line that begins with this, and returns what follows.
    ///
    /// # Errors
    /// If the program ends or says nothing like it in a minute.
    pub fn line(&mut self, start: &str) -> anyhow::Result<String> {
        loop {
            let line =
                self.lines.recv_timeout(PATIENCE).with_context(|| format!("no line began with {start:?}"))?;
            if let Some(rest) = line.strip_prefix(start) {
                return Ok(rest.to_owned());
            }
        }
    }

    /// Sends a signal, `TERM` or `INT`.
    ///
    /// # Errors
    /// If the program is gone already.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status()?;
        anyhow::ensure!(sent.success(), "the program was gone already");
        Ok(())
    }

    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the program to end (SIGTERM) and waits for it; its exit code and what it said on standard error.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn stop(&mut self) -> anyhow::Result<(Option<i32>, String)> {
        self.signal("TERM")?;
        self.wait()
    }

    /// Waits until the program ends by itself; its exit code and what it said on standard error.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn wait(&mut self) -> anyhow::Result<(Option<i32>, String)> {
        let status = self.child.wait()?;
        Ok((status.code(), self.said()))
    }

    /// Ends the program at once (SIGKILL); what it said on standard error.
    ///
    /// # Errors
    /// If it cannot be ended.
    pub fn kill(&mut self) -> anyhow::Result<String> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.said())
    }

    fn said(&mut self) -> String {
        self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop)) {
            eprintln!("a program could not be stopped: {error}");
        }
    }
}

/// Where the binaries of this workspace are: the test itself is `target/<profile>/deps/<name>`.
///
/// # Errors
/// If the test stands elsewhere.
pub fn binaries() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.ancestors().nth(2).map(Path::to_path_buf).context("the test stands in no target folder")
}

fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let path = binaries()?.join(name);
    if !path.is_file() {
        bail!("{} is not built; `cargo xtask test` builds what the tests need", path.display());
    }
    Ok(path)
}
