//! A reader who does what a page of the handbook says: in a folder of their own, on ports of their own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use petasos_testkit::{Browser, PATIENCE, Process, binaries};
use tempfile::TempDir;

use crate::document::{How, Step, is_like, root, steps};

/// Somebody at a few terminals and a browser.
#[derive(Debug)]
pub struct Reader {
    page: String,
    folder: TempDir,
    /// The folder that all terminals are in.
    here: PathBuf,
    ports: [u16; 2],
    /// What `cargo run` started.
    app: Option<Process>,
    hub: Option<Process>,
    /// What `curl -N` started last.
    stream: Option<Process>,
    /// The windows that were opened last.
    pub windows: Vec<Browser>,
}

impl Reader {
    /// A reader of this page, whose checkout is this one; `replace` says what the page calls otherwise.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn of(page: &str, replace: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let root = root()?;
        let mut page = std::fs::read_to_string(root.join(page))?;
        let ports = [free_port(20_000)?, free_port(25_000)?];
        let [app, hub] = ports.map(|port| format!("127.0.0.1:{port}"));
        let root_name = root.to_str().context("the path of the checkout is no text")?;
        let own = [("127.0.0.1:8000", &*app), ("127.0.0.1:3000", &*hub), ("../petasos", root_name)];
        for (theirs, ours) in own.iter().chain(replace) {
            ensure!(page.contains(theirs), "the page does not say {theirs:?}");
            page = page.replace(theirs, ours);
        }
        // Whatever is compiled already is not compiled again.
        std::fs::create_dir(folder.path().join(".cargo"))?;
        std::fs::write(folder.path().join(".cargo/config.toml"), profiles(&root)?)?;
        let here = folder.path().to_path_buf();
        Ok(Self { page, folder, here, ports, app: None, hub: None, stream: None, windows: Vec::new() })
    }

    /// Follows the section whose heading begins so.
    ///
    /// # Errors
    /// If something is not as the page says.
    pub fn follow(&mut self, heading: &str) -> anyhow::Result<()> {
        let steps = steps(&self.page, heading);
        ensure!(!steps.is_empty(), "no section {heading:?} says anything to do");
        for step in steps {
            self.take(&step).with_context(|| format!("section {heading:?}, {step:?}"))?;
        }
        Ok(())
    }

    /// Types a command into a terminal; what it prints.
    ///
    /// # Errors
    /// If it fails.
    pub fn shell(&self, command: &str) -> anyhow::Result<String> {
        let output = self.terminal(command).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{command}: {said}{}", String::from_utf8_lossy(&output.stdout));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Looks at the terminal that listens until a line is like this; the lines before it.
    ///
    /// # Errors
    /// If none is.
    pub fn hear(&mut self, shown: &str) -> anyhow::Result<Vec<String>> {
        let stream = self.stream.as_mut().context("nobody listens")?;
        let mut before = Vec::new();
        loop {
            let line = stream.line("").with_context(|| format!("{shown:?} was never heard: {before:?}"))?;
            if is_like(shown, line.trim_end()) {
                return Ok(before);
            }
            before.push(line);
        }
    }

    fn take(&mut self, step: &Step) -> anyhow::Result<()> {
        match step {
            Step::Type { command, answer } => self.type_in(command, answer),
            Step::Write { path, text, how } => write(&self.here.join(path), text, *how),
            Step::Hear(lines) => lines.iter().try_for_each(|line| self.hear(line).map(drop)),
            Step::Open(urls) => self.open(urls),
        }
    }

    fn type_in(&mut self, command: &str, answer: &[String]) -> anyhow::Result<()> {
        if let Some(folder) = command.strip_prefix("cd ") {
            self.here = self.here.join(folder);
            // The same versions, without asking a registry.
            std::fs::copy(root()?.join("Cargo.lock"), self.here.join("Cargo.lock"))?;
            return Ok(());
        }
        if let Some(variables) = command.strip_suffix("cargo run") {
            return self.start(variables, answer);
        }
        if command.starts_with("curl -N ") {
            // The head tells when the hub listens.
            let mut stream = Process::spawn(&mut self.terminal(&format!("exec {command} -i")))?;
            while stream.line("")?.trim_end() != "HTTP/1.1 200 OK" {}
            self.stream = Some(stream);
            return Ok(());
        }
        if command.starts_with("petasos hub ") {
            let mut hub = self.terminal(&format!("exec {command}"));
            hub.env("PETASOS_LISTEN", format!("127.0.0.1:{}", self.ports[1]));
            let mut hub = Process::spawn(hub.env("PETASOS_ADMIN_LISTEN", "off"))?;
            wait_for(&mut hub, answer)?;
            self.hub = Some(hub);
            return Ok(());
        }
        if let Some(path) = command.strip_prefix("cargo install --path ") {
            // The command is built already, and on the path of these terminals.
            let manifest = std::fs::read_to_string(Path::new(path).join("Cargo.toml"))?;
            ensure!(
                manifest.contains("name = \"petasos\"") && binaries()?.join("petasos").is_file(),
                "{path}"
            );
            return Ok(());
        }
        let said = self.shell(command)?;
        let mut lines = said.lines().map(str::trim_end);
        let missing = answer.iter().find(|shown| !lines.any(|line| is_like(shown, line)));
        ensure!(missing.is_none(), "{missing:?} is not in:\n{said}");
        Ok(())
    }

    /// Stops the program as a person does, builds it, and starts it again.
    fn start(&mut self, variables: &str, answer: &[String]) -> anyhow::Result<()> {
        if let Some(mut app) = self.app.take() {
            app.signal("INT")?;
            let (code, said) = app.wait()?;
            ensure!(code == Some(0), "the program ended with {code:?}: {said}");
        }
        self.shell("cargo build")?;
        let name = self.here.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let program = binaries()?.join(name);
        let mut terminal = self.terminal(&format!("{variables} exec {}", program.display()));
        terminal.env("PETASOS_LISTEN", format!("127.0.0.1:{}", self.ports[0]));
        let mut app = Process::spawn(&mut terminal)?;
        let ready = ["...the API is at ...".to_owned()];
        wait_for(&mut app, if answer.is_empty() { &ready } else { answer })?;
        self.app = Some(app);
        Ok(())
    }

    fn open(&mut self, urls: &[String]) -> anyhow::Result<()> {
        self.windows.clear();
        for url in urls {
            let window = Browser::start(800, 600)?;
            window.goto(url)?;
            window.wait_until("document.querySelector('#state').textContent === 'live'")?;
            self.windows.push(window);
        }
        Ok(())
    }

    fn terminal(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(&self.here);
        // What cargo tells this test is nobody else's business, and what the programs read is said by the page.
        let hidden = [
            "CARGO_BIN",
            "CARGO_CRATE",
            "CARGO_MANIFEST",
            "CARGO_PKG",
            "CARGO_PRIMARY",
            "DATABASE_URL",
            "MERCURE_",
            "PETASOS_",
        ];
        for (name, _) in std::env::vars_os() {
            if hidden.iter().any(|start| name.to_string_lossy().starts_with(start)) {
                command.env_remove(name);
            }
        }
        if let Ok(folder) = binaries() {
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{}:{path}", folder.display()));
            command.env("CARGO_TARGET_DIR", folder.parent().unwrap_or(&folder));
        }
        command.envs([("CARGO_NET_OFFLINE", "true"), ("NO_COLOR", "1")]);
        command
    }
}

impl Drop for Reader {
    /// What was built for these pages is of no use to the next run, which has another folder.
    fn drop(&mut self) {
        let name = self.here.file_name().unwrap_or_default().display().to_string();
        if self.here != self.folder.path()
            && let Err(error) = self.shell(&format!("cargo clean --package {name}"))
        {
            eprintln!("what was built stays: {error:#}");
        }
    }
}

fn write(path: &Path, text: &str, how: How) -> anyhow::Result<()> {
    let old = std::fs::read_to_string(path);
    let new = match how {
        How::Whole => format!("{text}\n"),
        How::Behind => format!("{}\n{text}\n", old?),
        How::InPlace => {
            let old = old?;
            let start = text.split_inclusive('(').next().unwrap_or_default();
            let mut alike = old.lines().filter(|line| line.starts_with(start));
            let (line, other) = (alike.next(), alike.next());
            let line = line.filter(|_| other.is_none());
            old.replace(line.with_context(|| format!("not one line begins with {start:?}"))?, text)
        }
    };
    std::fs::create_dir_all(path.parent().context("a path without a folder")?)?;
    Ok(std::fs::write(path, new)?)
}

/// Waits until a program has said all of this.
fn wait_for(program: &mut Process, answer: &[String]) -> anyhow::Result<()> {
    for shown in answer {
        let mut said = Vec::new();
        loop {
            let Ok(line) = program.line("") else {
                let errors = program.kill()?;
                anyhow::bail!("{shown:?} was not said in {PATIENCE:?}, but {said:?} {errors}");
            };
            if is_like(shown, &line) {
                break;
            }
            said.push(line);
        }
    }
    Ok(())
}

/// How this workspace is compiled, which is nothing that a package takes over from those that it uses.
fn profiles(root: &Path) -> anyhow::Result<String> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    let start = manifest.find("[profile.").context("the workspace has no profiles")?;
    Ok(manifest[start..].to_owned())
}

/// A port that can be taken again and again: none that the system gives to others meanwhile.
fn free_port(first: u16) -> anyhow::Result<u16> {
    let offset = u16::try_from(std::process::id() % 4096)?;
    let mut ports = (first + offset)..=(first + 4999);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).context("no port is free")
}
