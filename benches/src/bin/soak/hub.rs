//! The hub, in a process of its own, and what it says about itself.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use petasos_benches::child::{Child, listen};
use petasos_benches::machine;
use petasos_benches::subject::{DATA, Subject};
use petasos_hub::transport::file::{FileConfig, Retention};
use petasos_hub::{BacklogLimits, Key};

/// The process, from outside.
pub(crate) struct HubProcess {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// What it holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    memory: u64,
    files: u64,
    subscribers: u64,
    classes: u64,
    backlog: u64,
    cut: u64,
    deliveries: u64,
}

impl HubProcess {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut child = Child::start(&["child", "hub"])?;
        let address = child.hear("at")?.parse()?;
        Ok(Self { child, address })
    }

    /// Publishes updates on a topic.
    pub(crate) fn publish(&mut self, topic: &str, first: u64, count: u64) -> anyhow::Result<()> {
        self.child.ask(&format!("publish {topic} {first} {count}"), "published").map(drop)
    }

    /// Publishes one update that no buffer of the kernel takes whole.
    pub(crate) fn publish_large(&mut self, topic: &str, number: u64) -> anyhow::Result<()> {
        self.child.ask(&format!("large {topic} {number}"), "published").map(drop)
    }

    pub(crate) fn state(&mut self) -> anyhow::Result<State> {
        let said = self.child.ask("state", "state")?;
        let numbers: Vec<u64> = said.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [memory, files, subscribers, classes, backlog, cut, deliveries] = numbers[..] else {
            bail!("{said:?} is no state")
        };
        Ok(State { memory, files, subscribers, classes, backlog, cut, deliveries })
    }

    /// Waits until it has noticed that everyone has left.
    pub(crate) fn emptied(&mut self) -> anyhow::Result<State> {
        self.child.ask("empty", "empty")?;
        self.state()
    }
}

impl State {
    pub(crate) const HEAD: &str = "| after | | memory | files | subscribers | classes | backlog | cut off | deliveries |\n\
        |---|---|---|---|---|---|---|---|---|";

    pub(crate) fn line(&self, what: &str, since: Duration) -> String {
        format!(
            "| {} s | {what} | {:.1} MiB | {} | {} | {} | {} B | {} | {} |",
            (machine::now() - since).as_secs(),
            self.memory as f64 / f64::from(1 << 20),
            self.files,
            self.subscribers,
            self.classes,
            self.backlog,
            self.cut,
            self.deliveries
        )
    }

    /// Nothing of what has left is still held, and memory is where it was, but for what is allowed.
    pub(crate) fn is_back_at(&self, before: &Self, allowance: u64) -> anyhow::Result<()> {
        let held = [self.subscribers, self.classes, self.backlog];
        anyhow::ensure!(held == [0; 3], "still held: subscribers, classes, backlog: {held:?}");
        // Files of the history come and go with its segments.
        anyhow::ensure!(self.files <= before.files + 16, "{} files, {} before", self.files, before.files);
        let allowed = before.memory + before.memory / 10 + allowance;
        anyhow::ensure!(self.memory <= allowed, "{} bytes, {} before", self.memory, before.memory);
        Ok(())
    }
}

/// The process itself. Limits are low, so that all of them are met.
pub(crate) fn run() -> anyhow::Result<()> {
    machine::raise_open_files()?;
    let folder = tempfile::tempdir()?;
    let retention = Retention { max_events: Some(5_000), ..Retention::default() };
    let history = FileConfig::new(folder.path()).retention(retention).open()?;
    let limits = BacklogLimits { max_stall_ms: 3_000, ..BacklogLimits::default() };
    let key = Key::hs256(crate::churn::SECRET)?;
    let subject = Subject::with(|builder| {
        let builder = builder.transport(history).backlog_limits(limits).subscriptions(true);
        let builder = builder.heartbeat(Some(Duration::from_secs(5)));
        builder.subscriber_key(key.clone()).publisher_key(key)
    })?;
    println!("at {}", subject.address);
    listen(|line| answer(&subject, line))
}

fn answer(subject: &Subject, line: &str) -> anyhow::Result<String> {
    match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["publish", topic, first, count] => {
            subject.publish(topic, first.parse()?, count.parse()?)?;
            Ok("published".to_owned())
        }
        ["large", topic, number] => {
            subject.publish_data(topic, number.parse()?, &DATA.repeat(2_000))?;
            Ok("published".to_owned())
        }
        ["empty"] => {
            subject.await_empty();
            Ok("empty".to_owned())
        }
        ["state"] => state(subject),
        _ => bail!("what does {line:?} mean?"),
    }
}

fn state(subject: &Subject) -> anyhow::Result<String> {
    let metrics = subject.hub.metrics();
    let cut = [
        &metrics.cut_bytes_total,
        &metrics.cut_frames_total,
        &metrics.cut_stalled_total,
        &metrics.cut_budget_total,
        &metrics.cut_talks_total,
    ];
    let cut: u64 = cut.into_iter().map(petasos_hub::Counter::value).sum();
    let files = u64::try_from(machine::open_files()?).context("files")?;
    Ok(format!(
        "state {} {files} {} {} {} {cut} {}",
        machine::anonymous_memory()?,
        metrics.subscribers.value(),
        metrics.classes.value(),
        metrics.backlog_bytes.value(),
        metrics.deliveries_total.value()
    ))
}
