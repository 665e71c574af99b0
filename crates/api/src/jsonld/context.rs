//! Contexts: what the members of a document mean.

use serde_json::{Map, Value, json};

use super::{DOCS, entry_name};
use crate::resource::{FieldInfo, Info};

/// `GET /contexts/{name}`; `None` if there is no such context.
pub(crate) fn context(name: &str, base: &str, resources: &[&Info]) -> Option<Value> {
    let mut terms = Map::new();
    terms.insert("@vocab".to_owned(), format!("{base}{DOCS}#").into());
    terms.insert("hydra".to_owned(), "http://www.w3.org/ns/hydra/core#".into());
    match name {
        "Entrypoint" => {
            for info in resources {
                let entry = entry_name(info);
                let id = format!("Entrypoint/{entry}");
                terms.insert(entry, json!({"@id": id, "@type": "@id"}));
            }
        }
        "Error" => {}
        "ConstraintViolation" => {
            for term in ["violations", "propertyPath", "message", "code", "title", "status", "detail"] {
                terms.insert(term.to_owned(), format!("ConstraintViolation/{term}").into());
            }
        }
        name => {
            let info = resources.iter().find(|info| info.name == name)?;
            let shown = info.fields.iter().filter(|field| !field.hidden);
            terms.extend(shown.map(|field| (field.name.to_owned(), property(info, field).into())));
        }
    }
    Some(json!({"@context": terms}))
}

/// The IRI of a property, relative to the vocabulary unless it has one of its own.
pub(crate) fn property(info: &Info, field: &FieldInfo) -> String {
    field.iri.map_or_else(|| format!("{}/{}", info.name, field.name), str::to_owned)
}
