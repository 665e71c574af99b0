//! The entrypoint: where a client that knows nothing begins.

use serde_json::{Map, Value};

use crate::resource::Info;

/// The name of a resource in the entrypoint: its own, with a small first letter.
pub(crate) fn entry_name(info: &Info) -> String {
    let mut chars = info.name.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// `GET /`.
pub(crate) fn entrypoint<'a>(resources: impl Iterator<Item = &'a Info>) -> Value {
    let mut entries: Vec<(String, &str)> = resources.map(|info| (entry_name(info), info.path)).collect();
    entries.sort();
    let mut document = Map::new();
    document.insert("@context".to_owned(), "/contexts/Entrypoint".into());
    document.insert("@id".to_owned(), "/".into());
    document.insert("@type".to_owned(), "Entrypoint".into());
    document.extend(entries.into_iter().map(|(name, path)| (name, path.into())));
    document.into()
}
