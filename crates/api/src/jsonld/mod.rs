//! JSON-LD with Hydra: documents about the API, and those that show its resources.

mod context;
pub(crate) use context::context;
mod docs;
pub(crate) use docs::documentation;
mod entrypoint;
pub(crate) use entrypoint::{entry_name, entrypoint};
mod item;
pub(crate) use item::{collection, iri, item, viewed};

/// Where the documentation is.
pub(crate) const DOCS: &str = "/docs.jsonld";
