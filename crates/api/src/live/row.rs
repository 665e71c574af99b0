//! A row as expressions see it: values are converted only when they are asked for, because most expressions want one or
//! two of many.

use std::collections::HashMap;
use std::sync::Arc;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer, Sizer};
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt, MAP_TYPE, Type,
};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::objects::Key;
use serde_json::{Map, Value};

/// All fields of a row, those that documents do not show too. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Row(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// An absolute path.
    iri: String,
    fields: Map<String, Value>,
}

impl Row {
    pub(crate) fn new(iri: impl Into<String>, fields: Map<String, Value>) -> Self {
        Self(Arc::new(Inner { iri: iri.into(), fields }))
    }

    /// The row's address: an absolute path.
    pub(crate) fn iri(&self) -> &str {
        &self.0.iri
    }

    #[cfg(test)]
    pub(crate) fn fields(&self) -> &Map<String, Value> {
        &self.0.fields
    }

    fn find(&self, key: &dyn Val) -> Result<&Value, ExecutionError> {
        let Some(name) = key.downcast_ref::<CelString<'_>>() else {
            let (got, want) = (key.get_type().name().to_owned(), "name of a field".to_owned());
            return Err(ExecutionError::UnexpectedType { got, want });
        };
        self.0.fields.get(name.inner()).ok_or_else(|| ExecutionError::no_such_key(name.inner()))
    }
}

impl Val for Row {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)> {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Self>().is_some_and(|other| Arc::ptr_eq(&self.0, &other.0))
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

impl StaticVal for Row {}

impl Container for Row {
    fn contains(&self, key: &dyn Val) -> Result<bool, ExecutionError> {
        match self.find(key) {
            Ok(_) => Ok(true),
            Err(ExecutionError::NoSuchKey(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Indexer for Row {
    fn get<'b, 'v>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError> {
        Ok(CowVal::Owned(to_cel(self.find(key)?)))
    }

    fn steal<'v>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError> {
        Ok(to_cel(self.find(key)?))
    }
}

impl Sizer for Row {
    fn size(&self) -> CelInt {
        i64::try_from(self.0.fields.len()).unwrap_or(i64::MAX).into()
    }
}

fn to_cel<'v>(value: &Value) -> Box<dyn Val + 'v> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Box::new(CelInt::from(number)),
            (None, Some(number)) => Box::new(CelUInt::from(number)),
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(text) => Box::new(CelString::from(text.clone())),
        Value::Array(values) => Box::new(CelList::from(values.iter().map(to_cel).collect::<Vec<_>>())),
        Value::Object(members) => {
            let member =
                |(name, value): (&String, &Value)| (CelMapKey::from(Key::from(name.clone())), to_cel(value));
            Box::new(CelMap::from(members.iter().map(member).collect::<HashMap<_, _>>()))
        }
    }
}
