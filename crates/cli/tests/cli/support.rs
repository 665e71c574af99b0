//! A hub of one's own on free ports.

use std::process::{Command, Output};

use petasos_testkit::http::{self, Response};
use petasos_testkit::{Process, Stream};
use tempfile::TempDir;

pub(crate) const SECRET: &str = "a secret of at least thirty-two bytes";

/// A running hub; ended when dropped.
pub(crate) struct Hub {
    pub(crate) process: Process,
    pub(crate) url: String,
    /// The address for operators: `http://address`.
    pub(crate) admin: String,
    /// Where it runs and keeps its history.
    pub(crate) folder: TempDir,
}

impl Hub {
    /// Starts a hub with a key and these options.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::with(args, &[("MERCURE_PUBLISHER_JWT_KEY", SECRET)])
    }

    /// Starts a hub with these options and variables.
    pub(crate) fn with(args: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::within(tempfile::tempdir().unwrap(), args, variables)
    }

    /// Starts a hub that runs in this folder.
    pub(crate) fn within(folder: TempDir, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let all = [&["hub", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"], args].concat();
        let mut process = Process::start("petasos", &all, variables, folder.path()).unwrap();
        let url = process.url("hub").unwrap();
        let admin = process.url("admin").unwrap().trim_end_matches("/metrics").to_owned();
        Self { process, url, admin, folder }
    }

    /// `127.0.0.1:port`
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap().split('/').next().unwrap()
    }

    pub(crate) fn token(&self) -> String {
        token(&self.url, &[])
    }

    /// Publishes a form with a token for everything.
    pub(crate) fn publish(&self, form: &str) -> Response {
        let bearer = format!("Bearer {}", self.token());
        http::request("POST", &self.url, &[("authorization", &bearer), FORM], form).unwrap()
    }

    /// Subscribes with a token for everything.
    pub(crate) fn subscribe(&self, query: &str) -> anyhow::Result<Stream> {
        let bearer = format!("Bearer {}", self.token());
        Stream::open(&format!("{}?{query}", self.url), &[("authorization", &bearer)])
    }
}

/// A token for everything on a hub.
pub(crate) fn token(hub: &str, args: &[&str]) -> String {
    let common = ["token", "--hub", hub, "--secret", SECRET, "--publish", "*", "--subscribe", "*"];
    let output = petasos(&[&common[..], args].concat()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn petasos(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_petasos"));
    command.args(args).env_clear();
    command
}

pub(crate) fn output(args: &[&str]) -> Output {
    petasos(args).output().unwrap()
}

/// Runs a command that must fail; the one line that it says.
pub(crate) fn error_line(args: &[&str]) -> String {
    let output = output(args);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

pub(crate) const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
