//! A row as the relay sees it: whole, with what documents do not show.

use petasos_changes::Operation;
use sea_orm::sea_query::value::sea_value_to_json_value;
use sea_orm::{ActiveModelTrait, ModelTrait, TryIntoModel, Value as DbValue};
use serde_json::{Map, Value};

use super::{FieldInfo, Item, Resource, StoreError, Typed};
use crate::live::Options;

/// A row that changed.
pub(crate) struct LiveRow<'a> {
    /// What documents show.
    pub(crate) item: Item,
    /// All of it, by field.
    pub(crate) object: Map<String, Value>,
    /// What the application's function says, if it has one.
    pub(crate) options: Option<Options>,
    /// Serialises it through the view of a name.
    pub(crate) view: View<'a>,
}

/// From the name of a view to its document, or why there is none.
pub(crate) type View<'a> = Box<dyn Fn(&str) -> Result<Map<String, Value>, String> + Send + Sync + 'a>;

impl<E: Resource> Typed<E> {
    /// The row as it is.
    pub(super) fn live_row(&self, model: E::Model, operation: Operation) -> Result<LiveRow<'_>, StoreError> {
        let item = self.item(&model)?;
        let value = |(place, field): (usize, &FieldInfo)| {
            let shown = item.get(field.name).cloned();
            let hidden = || json_of(&model.get(self.columns[place]));
            (field.name.to_owned(), shown.unwrap_or_else(hidden))
        };
        let object = self.info.fields.iter().enumerate().map(value).collect();
        let options =
            self.live.as_ref().and_then(|live| live.function).map(|options| options(&model, operation));
        let view = move |name: &str| self.view(name, &model);
        Ok(LiveRow { item, object, options, view: Box::new(view) })
    }

    /// The row that is gone, from the outbox: by column, as the database kept it.
    pub(super) fn gone_row(&self, old: &Map<String, Value>) -> Result<LiveRow<'_>, String> {
        let values: Vec<(&FieldInfo, Option<DbValue>, Value)> = self
            .info
            .fields
            .iter()
            .map(|field| {
                let kept = old.get(&field.column).unwrap_or(&Value::Null);
                let read = (field.read)(&as_written(field, kept)).ok();
                let json = read.as_ref().map_or_else(|| kept.clone(), json_of);
                (field, read, json)
            })
            .collect();
        let options = match self.live.as_ref().and_then(|live| live.function) {
            None => None,
            Some(options) => Some(options(&self.model(&values)?, Operation::Delete)),
        };
        let object = values.into_iter().map(|(field, _, json)| (field.name.to_owned(), json)).collect();
        let view = |_: &str| Err("a deletion has no view".to_owned());
        Ok(LiveRow { item: Item::new(), object, options, view: Box::new(view) })
    }

    /// The model of a row that is gone.
    fn model(&self, values: &[(&FieldInfo, Option<DbValue>, Value)]) -> Result<E::Model, String> {
        let mut active = <E::ActiveModel as ActiveModelTrait>::default();
        for ((field, read, _), column) in values.iter().zip(&self.columns) {
            let value =
                read.clone().ok_or_else(|| format!("the old value of {:?} cannot be read", field.name))?;
            active.try_set(*column, value).map_err(|error| error.to_string())?;
        }
        active.try_into_model().map_err(|error| error.to_string())
    }

    fn view(&self, name: &str, model: &E::Model) -> Result<Map<String, Value>, String> {
        let Some((_, view)) = self.views.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = self.views.iter().map(|(known, _)| *known).collect();
            let name = format!("there is no view {name:?}");
            return Err(if known.is_empty() {
                format!("{name}; name some by `views(...)`")
            } else {
                format!("{name}; there are {}", known.join(", "))
            });
        };
        match view(model) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(_) => Err(format!("the view {name:?} is not serialised as an object")),
            Err(error) => Err(format!("the view {name:?} cannot be serialised: {error}")),
        }
    }
}

/// SQLite keeps a boolean as a number, and a date with time with a space.
fn as_written(field: &FieldInfo, kept: &Value) -> Value {
    match (field.range, kept) {
        ("xsd:boolean", Value::Number(number)) => (number.as_i64() != Some(0)).into(),
        ("xsd:dateTime", Value::String(text)) => text.replacen(' ', "T", 1).replace(' ', "").into(),
        _ => kept.clone(),
    }
}

/// A value of the database as documents write it. SeaORM writes times as SQL does, and decimals as floating-point numbers.
pub(super) fn json_of(value: &DbValue) -> Value {
    let written = match value {
        DbValue::ChronoDate(Some(date)) => serde_json::to_value(date),
        DbValue::ChronoTime(Some(time)) => serde_json::to_value(time),
        DbValue::ChronoDateTime(Some(time)) => serde_json::to_value(time),
        DbValue::ChronoDateTimeUtc(Some(time)) => serde_json::to_value(time),
        DbValue::ChronoDateTimeLocal(Some(time)) => serde_json::to_value(time),
        DbValue::ChronoDateTimeWithTimeZone(Some(time)) => serde_json::to_value(time),
        // With all its digits, which a number would lose.
        DbValue::Decimal(Some(decimal)) => serde_json::to_value(decimal),
        DbValue::Bytes(Some(bytes)) => {
            return bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>().into();
        }
        other => return sea_value_to_json_value(other),
    };
    written.unwrap_or(Value::Null)
}
