//! Another process of this program, which is told what to do line by line.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};

/// A running process; ended when dropped.
#[derive(Debug)]
pub struct Child {
    process: Process,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Child {
    /// Starts this program again with these arguments.
    ///
    /// # Errors
    /// If the system does not.
    pub fn start(args: &[&str]) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = process.stdin.take().context("no pipe")?;
        let stdout = BufReader::new(process.stdout.take().context("no pipe")?);
        Ok(Self { process, stdin, stdout })
    }

    /// Says a line.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn say(&mut self, line: &str) -> anyhow::Result<()> {
        writeln!(self.stdin, "{line}").with_context(|| format!("{line:?} was not heard"))
    }

    /// Waits for a line that begins with this word; what follows it.
    ///
    /// # Errors
    /// If something else is said, or nothing any more.
    pub fn hear(&mut self, word: &str) -> anyhow::Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        match line.trim_end().strip_prefix(word) {
            Some(rest) => Ok(rest.trim_start().to_owned()),
            None => bail!("another process said {line:?} instead of {word:?}"),
        }
    }

    /// Says a line and waits for the answer that begins with this word.
    ///
    /// # Errors
    /// As [`Child::hear`].
    pub fn ask(&mut self, line: &str, word: &str) -> anyhow::Result<String> {
        self.say(line)?;
        self.hear(word)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait().map(drop)) {
            eprintln!("a process could not be ended: {error}");
        }
    }
}

/// The other side: calls `answer` with each line that is heard and says what it returns.
///
/// # Errors
/// What `answer` returns, or if nobody listens.
pub fn listen(mut answer: impl FnMut(&str) -> anyhow::Result<String>) -> anyhow::Result<()> {
    for line in io::stdin().lock().lines() {
        let said = answer(line?.trim_end())?;
        writeln!(io::stdout(), "{said}")?;
    }
    Ok(())
}
