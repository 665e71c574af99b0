//! From a changed row to what is published of it.

use petasos_changes::{Merged, Operation};
use petasos_protocol::Update;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};

use super::expression::Scope;
use super::form;
use super::options::Options;
use super::plan::{self, Plan};
use super::row::Row;
use crate::jsonld;
use crate::resource::{ErasedResource, LiveRow, StoreError};

/// What a row comes to.
#[derive(Debug)]
pub(crate) enum Rendered {
    Update(Box<Outgoing>),
    /// The row has gone since, or nobody is to know.
    Nothing,
    /// It can never be published.
    Broken(String),
    /// The database is busy; it will work later.
    Later(String),
}

/// An update on its way.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) update: Update,
    /// Says to the hub that it is a repetition, whatever id the options chose.
    pub(crate) key: String,
    /// The names of the hubs that get it.
    pub(crate) hubs: Vec<String>,
    /// A request waits for it.
    pub(crate) within_request: bool,
}

/// Renders the changes of resources as their attributes say.
#[derive(Clone)]
pub(crate) struct Renderer {
    pub(crate) db: DatabaseConnection,
    /// The public URL of the API, without a final slash: topics begin with it.
    pub(crate) base: String,
    pub(crate) scope: Scope,
}

impl Renderer {
    /// Renders one row, which may have been loaded already; `id` is what its event is called unless its options say
    /// otherwise.
    pub(crate) async fn render(
        &self,
        resource: &dyn ErasedResource,
        plan: &Plan,
        row: &Merged,
        loaded: Option<LiveRow<'_>>,
        id: String,
    ) -> Rendered {
        let operation = row.operation;
        if !row.happened.iter().any(|operation| plan.may_publish(*operation)) {
            return Rendered::Nothing;
        }
        let name = resource.info().name;
        let broken = |problem: String| {
            let key = Value::Object(row.key.clone());
            Rendered::Broken(format!("{name} {key}: {problem}"))
        };
        let Some(segment) = resource.changed_id(&row.key) else {
            return broken("the key of the row is not the key of the resource".to_owned());
        };
        let iri = jsonld::iri(resource.info(), &segment);
        let loaded = match loaded {
            Some(loaded) => Ok(Some(loaded)),
            None => self.load(resource, row, operation, &segment).await,
        };
        let loaded = match loaded {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return Rendered::Nothing,
            Err(StoreError::Busy(reason)) => return Rendered::Later(reason),
            Err(error) => return broken(error.to_string()),
        };
        match self.outgoing(resource, plan, row, iri, loaded, id) {
            Ok(Some(outgoing)) => Rendered::Update(Box::new(outgoing)),
            Ok(None) => Rendered::Nothing,
            Err(problem) => broken(problem),
        }
    }

    /// The row as it is now, or as it was before it was deleted.
    async fn load<'a>(
        &'a self,
        resource: &'a dyn ErasedResource,
        row: &Merged,
        operation: Operation,
        segment: &str,
    ) -> Result<Option<LiveRow<'a>>, StoreError> {
        if operation == Operation::Delete {
            let empty = serde_json::Map::new();
            return resource
                .old_row(row.old.as_ref().unwrap_or(&empty))
                .map(Some)
                .map_err(StoreError::Failed);
        }
        let key = resource.key(segment);
        let key =
            key.ok_or_else(|| StoreError::Failed(format!("{segment:?} is not a key of the resource")))?;
        resource.find_row(&self.db, key, operation).await
    }

    /// That rows of a collection have changed, too many to be named.
    pub(crate) fn collection(&self, path: &str, options: &Options, id: String) -> Result<Outgoing, String> {
        let data = json!({"@id": path, "@type": "hydra:Collection"}).to_string();
        let update = form::update(options, format!("{}{path}", self.base), data, &id)?;
        Ok(Outgoing { update, key: id, hubs: plan::hubs(options), within_request: options.within_request })
    }

    fn outgoing(
        &self,
        resource: &dyn ErasedResource,
        plan: &Plan,
        changed: &Merged,
        iri: String,
        loaded: LiveRow<'_>,
        id: String,
    ) -> Result<Option<Outgoing>, String> {
        let LiveRow { item, object, options: computed, view } = loaded;
        let row = Row::new(iri, object);
        let options = plan.options(&row, computed, &self.scope)?;
        if !changed.happened.iter().any(|operation| options.publishes(*operation)) {
            return Ok(None);
        }
        let data = match (changed.operation, &options) {
            (Operation::Delete, _) => json!({"@id": row.iri()}).to_string(),
            (_, Options { data: Some(data), .. }) => data.clone(),
            (_, Options { view: Some(name), .. }) => {
                jsonld::viewed(resource.info(), row.iri(), view(name)?).to_string()
            }
            _ => jsonld::item(resource, item).to_string(),
        };
        let topic = format!("{}{}", self.base, row.iri());
        let update = form::update(&options, topic, data, &id)?;
        let within_request = options.within_request || plan.always_waits();
        Ok(Some(Outgoing { update, key: id, hubs: plan::hubs(&options), within_request }))
    }
}
