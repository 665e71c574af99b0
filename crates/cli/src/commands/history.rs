//! `petasos history`: looks into a history, writes it out, makes it shorter.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::Subcommand;
use petasos_hub::Event;
use petasos_hub::transport::file::{Archive, Retention, Summary, Visit, VisitError, trim};
use petasos_protocol::sse;
use serde_json::{Value, json};

use super::now;
use crate::config::{bytes, time};

/// Look into a history, write it out, or make it shorter
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  petasos history inspect ./petasos-data --verify
  petasos history export ./petasos-data --after urn:uuid:0198a3f0-5a10-7c3e-9b42-1f2d3c4b5a69 > updates.jsonl
  petasos history trim ./petasos-data --max-age 30d

inspect and export only read, also while a hub is at work; trim needs the directory for itself.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what a history holds
    Inspect {
        /// Directory of the history
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// Read all of it and check every update
        #[arg(long)]
        verify: bool,
    },
    /// Write all updates, oldest first: each a line of JSON
    Export {
        /// Directory of the history
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// Begin after the first update with this id
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Remove the oldest updates until the rest is within all limits that are given
    Trim(Limits),
}

#[derive(Debug, clap::Args)]
struct Limits {
    /// Directory of the history
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Updates that may stay
    #[arg(long, value_name = "N")]
    max_events: Option<u64>,
    /// Age that an update may have, in seconds or with a unit: 30d
    #[arg(long, value_name = "TIME")]
    max_age: Option<String>,
    /// Bytes that the updates may have together: 10GiB
    #[arg(long, value_name = "BYTES")]
    max_bytes: Option<String>,
}

/// Looks, writes or trims.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Inspect { directory, verify } => inspect(directory, *verify),
        Command::Export { directory, after } => export(directory, after.as_deref()),
        Command::Trim(limits) => shorten(limits),
    }
}

fn look(directory: &Path) -> anyhow::Result<Archive> {
    Archive::look(directory).map_err(|error| wrong(directory, error))
}

fn wrong(directory: &Path, error: impl Into<VisitError>) -> anyhow::Error {
    match error.into() {
        // Whoever reads what is written has enough, or there is no space for more.
        VisitError::Visitor(error) => error.into(),
        error => anyhow!("cannot use the history {}: {error}", directory.display()),
    }
}

fn inspect(directory: &Path, verify: bool) -> anyhow::Result<()> {
    let archive = look(directory)?;
    let summary = archive.summary().map_err(|error| wrong(directory, error))?;
    io::stdout().write_all(describe(&summary).as_bytes())?;
    if verify {
        let mut events = 0u64;
        let visited = archive.visit(&mut |_| {
            events += 1;
            Ok(())
        });
        visited.map_err(|error| wrong(directory, error))?;
        writeln!(io::stdout(), "verified   {events} updates, every checksum is right")?;
    }
    Ok(())
}

fn describe(summary: &Summary) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| text.push_str(&format!("{name:10} {value}\n"));
    let events = summary.newest.0 - summary.floor.0;
    line("format", summary.format.to_string());
    line("updates", events.to_string());
    if events > 0 {
        line("places", format!("{} to {}", summary.floor.next(), summary.newest));
    }
    line("newest id", summary.newest_id.clone().unwrap_or_else(|| "-".to_owned()));
    line("since", date(summary.since));
    line("segments", format!("{}, {} bytes", summary.segments, summary.bytes));
    line("indexes", format!("{} bytes", summary.index_bytes));
    if summary.torn > 0 {
        line("torn", format!("{} bytes at the end, never acknowledged", summary.torn));
    }
    text
}

fn export(directory: &Path, after: Option<&str>) -> anyhow::Result<()> {
    let archive = look(directory)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut waiting = after;
    let visited = archive.visit(&mut |visit| {
        if let Some(id) = waiting {
            waiting = Some(id).filter(|id| visit.stored.event.id().as_str() != *id);
            return Ok(());
        }
        serde_json::to_writer(&mut out, &document(&visit)?)?;
        out.write_all(b"\n")
    });
    visited.map_err(|error| wrong(directory, error))?;
    out.flush()?;
    match waiting {
        None => Ok(()),
        Some(id) => Err(anyhow!(
            "--after cannot be {id:?}: the history {} has no update with this id",
            directory.display()
        )),
    }
}

/// An update as a document: what a publish would say, and what the history knows.
fn document(visit: &Visit) -> io::Result<Value> {
    let event: &Event = &visit.stored.event;
    let texts = |topics: &[petasos_protocol::Topic]| -> Vec<String> {
        topics.iter().map(|topic| topic.as_str().to_owned()).collect()
    };
    let mut decoder = sse::Decoder::with_max_event_bytes(usize::MAX);
    decoder.feed(event.frame()).map_err(io::Error::other)?;
    // An update without data is a frame that only tells its id.
    let message = decoder.next_message();
    let mut document = json!({
        "seq": visit.stored.seq.0,
        "at": visit.at,
        "id": event.id().as_str(),
        "topics": texts(event.topics()),
        "private": event.is_private(),
        "data": message.as_ref().map_or("", |message| message.data.as_str()),
    });
    if !event.audience().is_empty() {
        document["targets"] = texts(event.audience()).into();
    }
    if let Some(message) = message.filter(|message| message.event_type != "message") {
        document["type"] = message.event_type.into();
    }
    if let Some(retry) = decoder.retry() {
        document["retry"] = retry.into();
    }
    Ok(document)
}

/// `2026-11-25T13:49:11Z`
fn date(seconds: u64) -> String {
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut month) = (1970, 0);
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let months = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", month + 1, days + 1)
}

fn shorten(limits: &Limits) -> anyhow::Result<()> {
    let retention = Retention {
        max_events: limits.max_events,
        max_age: value("--max-age", limits.max_age.as_deref(), time)?,
        max_bytes: value("--max-bytes", limits.max_bytes.as_deref(), bytes)?,
    };
    if retention == Retention::UNLIMITED {
        bail!("one of --max-events, --max-age and --max-bytes is needed, for example --max-age 30d");
    }
    let trimmed =
        trim(&limits.directory, &retention, now()?).map_err(|error| wrong(&limits.directory, error))?;
    let left = trimmed.newest.0 - trimmed.floor.0;
    writeln!(io::stdout(), "{} updates removed, {left} left", trimmed.removed)?;
    Ok(())
}

fn value<T>(
    option: &str,
    text: Option<&str>,
    read: fn(&str) -> Result<T, String>,
) -> anyhow::Result<Option<T>> {
    let read = |text| read(text).map_err(|reason| anyhow!("{option} cannot be {text:?}: {reason}"));
    text.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_764_078_551, "2025-11-25T13:49:11Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }
}
