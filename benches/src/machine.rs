//! Processor time, memory and limits of this process, and what the kernel counts.

use std::time::Duration;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Processor time of all threads since the process began, user and system.
#[must_use]
pub fn cpu_time() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// A clock that all processes of the machine share.
#[must_use]
pub fn now() -> Duration {
    read(ClockId::Monotonic)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Anonymous resident memory, in bytes.
///
/// # Errors
/// If the system does not say.
pub fn anonymous_memory() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon in the status")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// How many files this process has open.
///
/// # Errors
/// If the system does not say.
pub fn open_files() -> anyhow::Result<usize> {
    // The folder that is read is one of them.
    Ok(std::fs::read_dir("/proc/self/fd")?.count() - 1)
}

/// Raises the soft limit of open files to the hard one; returns it.
///
/// # Errors
/// If the system does not let it be raised.
pub fn raise_open_files() -> anyhow::Result<usize> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// How often the machine sent a SYN again, and how often a listener had no room.
///
/// # Errors
/// If the system does not say.
pub fn late_connects() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/net/netstat")?;
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().context("no names")?, lines.next().context("no values")?);
    let mut sum = 0;
    for (name, value) in names.split(' ').zip(values.split(' ')) {
        if matches!(name, "TCPSynRetrans" | "ListenOverflows" | "ListenDrops") {
            sum += value.parse::<u64>()?;
        }
    }
    Ok(sum)
}
