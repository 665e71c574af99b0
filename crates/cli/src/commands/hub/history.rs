//! From the configuration to the history that a hub keeps.

use anyhow::anyhow;
use petasos_hub::HubBuilder;
use petasos_hub::transport::file::{Durability, FileConfig, OpenError, Retention};
use petasos_hub::transport::{Memory, MemoryLimits, TransportUrl};

use crate::config::Config;

/// What the configuration asks for, not yet opened.
#[derive(Debug)]
pub(super) enum History {
    Memory(MemoryLimits),
    File(FileConfig),
}

impl History {
    /// Reads the options.
    ///
    /// # Errors
    /// The first one that cannot be used.
    pub(super) fn describe(config: &Config) -> anyhow::Result<Self> {
        let url = config.text("transport").unwrap_or_default();
        match url.parse() {
            Ok(TransportUrl::Memory) => Ok(Self::Memory(memory(config)?)),
            Ok(TransportUrl::File(directory)) => {
                let durability = match config.text("durability") {
                    Some("os") => Durability::Os,
                    _ => Durability::Fsync,
                };
                let file = FileConfig::new(directory).durability(durability);
                Ok(Self::File(file.retention(retention(config)?)))
            }
            Ok(_) => Err(config.wrong("transport", "this version does not know it")),
            Err(error) => Err(config.wrong("transport", &error.to_string())),
        }
    }

    /// Takes the directory, if there is one.
    ///
    /// # Errors
    /// Why it cannot be had, and which option names another one.
    pub(super) fn open(self, builder: HubBuilder, config: &Config) -> anyhow::Result<HubBuilder> {
        match self {
            Self::Memory(limits) => Ok(builder.transport(Memory::new(limits))),
            Self::File(file) => match file.open() {
                Ok(file) => Ok(builder.transport(file)),
                Err(error) => Err(refused(&error, config)),
            },
        }
    }
}

fn refused(error: &OpenError, config: &Config) -> anyhow::Error {
    let (place, url) = (config.place("transport"), config.text("transport").unwrap_or_default());
    match error {
        OpenError::InUse { .. } => anyhow!("{error} by {place}"),
        OpenError::Storage { .. } => {
            anyhow!("{error}; {place} names the directory, for example file:/var/lib/petasos")
        }
        _ => anyhow!("cannot use the history {url}: {error} by {place}"),
    }
}

fn retention(config: &Config) -> anyhow::Result<Retention> {
    let max_bytes = config.limit("history-max-bytes")?;
    if max_bytes.is_some_and(|bytes| bytes < LEAST_BYTES) {
        return Err(config.wrong("history-max-bytes", "1MiB is the least"));
    }
    Ok(Retention {
        max_events: config.limit("history-max-events")?.map(u64::try_from).transpose()?,
        max_age: config.period("history-max-age")?,
        max_bytes: max_bytes.map(u64::try_from).transpose()?,
    })
}

fn memory(config: &Config) -> anyhow::Result<MemoryLimits> {
    if config.period("history-max-age")?.is_some() {
        return Err(config.wrong("history-max-age", "a history in memory is limited by number and size only"));
    }
    let max_events = config.limit("history-max-events")?.unwrap_or(usize::MAX);
    let mut limits = MemoryLimits { max_events, ..MemoryLimits::default() };
    if !config.is_default("history-max-bytes") {
        limits.max_bytes = config.limit("history-max-bytes")?.unwrap_or(usize::MAX);
    }
    Ok(limits)
}

/// Less than this is a few updates of the largest size.
const LEAST_BYTES: usize = 1 << 20;
