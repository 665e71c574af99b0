//! Notices commits of other processes: they write into the write-ahead log beside the database.

use std::path::Path;
use std::sync::Arc;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use crate::Error;

/// Watches until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches the folder of a database file, because the log comes and goes; a database in memory has none.
    pub(crate) fn start(database: &Path, signal: Arc<Notify>) -> Result<Option<Self>, Error> {
        let (Some(name), Some(folder)) = (database.file_name(), database.parent()) else { return Ok(None) };
        if !database.is_file() {
            return Ok(None);
        }
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let mut log = name.to_owned();
        log.push("-wal");
        let name = name.to_owned();
        let mut watcher = notify::recommended_watcher(move |event: Result<Event, notify::Error>| {
            if event.is_ok_and(|event| concerns(&event, &[&log, &name])) {
                signal.notify_one();
            }
        })?;
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        Ok(Some(Self { _watcher: watcher }))
    }
}

fn concerns(event: &Event, names: &[&std::ffi::OsStr]) -> bool {
    let writes = matches!(event.kind, EventKind::Create(_) | EventKind::Modify(_) | EventKind::Any);
    writes && event.paths.iter().filter_map(|path| path.file_name()).any(|file| names.contains(&file))
}
