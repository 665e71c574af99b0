//! What is known of a resource: written by the derive, read by everything else.

use petasos_changes::{Column, ColumnKind, Operation, Table};
use sea_orm::{ColumnTrait, ColumnType, EntityTrait, Iden, Iterable, PrimaryKeyToColumn, Value as DbValue};
use serde::Serialize;
use serde_json::Value;

use super::FieldType;
use crate::live::{Options, Setup};

/// Describes the resource that an entity is.
#[must_use]
pub struct Description<E: EntityTrait> {
    pub(crate) info: Info,
    pub(crate) columns: Vec<E::Column>,
    pub(crate) live: Option<Live<E>>,
    pub(crate) views: Vec<(&'static str, View<E>)>,
}

/// How a resource is published.
pub(crate) struct Live<E: EntityTrait> {
    pub(crate) setup: Setup,
    /// Says all of it for one row.
    pub(crate) function: Option<fn(&E::Model, Operation) -> Options>,
}

/// Serialises a row in another way.
pub(crate) type View<E> = fn(&<E as EntityTrait>::Model) -> serde_json::Result<Value>;

/// Describes a field of a resource.
#[must_use]
pub struct Field<E: EntityTrait> {
    column: E::Column,
    info: FieldInfo,
}

/// A resource, without its Rust types.
#[derive(Clone, Debug)]
pub(crate) struct Info {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) live: bool,
    pub(crate) fields: Vec<FieldInfo>,
}

/// A field, without its Rust type.
#[derive(Clone, Debug)]
pub(crate) struct FieldInfo {
    /// Its key in documents.
    pub(crate) name: &'static str,
    /// Name of its column.
    pub(crate) column: String,
    pub(crate) doc: &'static str,
    pub(crate) range: &'static str,
    pub(crate) iri: Option<&'static str>,
    pub(crate) key: bool,
    /// The database makes the value.
    pub(crate) generated: bool,
    pub(crate) nullable: bool,
    pub(crate) optional: bool,
    pub(crate) hidden: bool,
    pub(crate) read_only: bool,
    /// Lists are filtered by the whole text, not by a part of it.
    pub(crate) exact: bool,
    pub(crate) rules: Rules,
    pub(crate) read: fn(&Value) -> Result<DbValue, String>,
}

/// What a value must satisfy beyond its type.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) not_blank: bool,
    /// In characters.
    pub(crate) length: (Option<u64>, Option<u64>),
    pub(crate) range: (Option<i64>, Option<i64>),
}

impl<E: EntityTrait> Description<E> {
    /// A resource without fields.
    pub fn new(name: &'static str, path: &'static str, doc: &'static str) -> Self {
        let info = Info { name, path, doc, live: false, fields: Vec::new() };
        Self { info, columns: Vec::new(), live: None, views: Vec::new() }
    }

    /// Makes it live.
    pub fn live(mut self, setup: Setup) -> Self {
        self.info.live = true;
        self.live = Some(Live { setup, function: None });
        self
    }

    /// Lets a function say how a row is published.
    pub fn live_options(mut self, function: fn(&E::Model, Operation) -> Options) -> Self {
        if let Some(live) = &mut self.live {
            live.function = Some(function);
        }
        self
    }

    /// Adds another serialisation of rows, which options may name.
    pub fn view<T: From<E::Model> + Serialize>(mut self, name: &'static str) -> Self {
        self.views.push((name, |model| serde_json::to_value(T::from(model.clone()))));
        self
    }

    /// Adds a field.
    pub fn field(mut self, field: Field<E>) -> Self {
        self.info.fields.push(field.info);
        self.columns.push(field.column);
        self
    }

    /// The table as the outbox watches it: all columns, those that documents do not show too.
    pub(crate) fn table() -> Table {
        let column = |column: E::Column| Column::new(column.unquoted(), kind(column.def().get_column_type()));
        let key = E::PrimaryKey::iter().map(|key| column(key.into_column())).collect();
        let entity = E::default();
        Table::new(entity.table_name(), key, E::Column::iter().map(column).collect())
            .in_schema(entity.schema_name())
    }
}

fn kind(column: &ColumnType) -> ColumnKind {
    match column {
        ColumnType::Binary(_) | ColumnType::VarBinary(_) | ColumnType::Blob => ColumnKind::Bytes,
        ColumnType::Boolean => ColumnKind::Boolean,
        ColumnType::DateTime => ColumnKind::DateTime,
        ColumnType::Decimal(_) | ColumnType::Money(_) => ColumnKind::Decimal,
        ColumnType::Json | ColumnType::JsonBinary => ColumnKind::Json,
        ColumnType::Timestamp | ColumnType::TimestampWithTimeZone => ColumnKind::Timestamp,
        ColumnType::Uuid => ColumnKind::Uuid,
        _ => ColumnKind::Plain,
    }
}

impl<E: EntityTrait> Field<E> {
    /// A field of type `T`.
    pub fn new<T: FieldType>(column: E::Column, name: &'static str) -> Self {
        let info = FieldInfo {
            name,
            column: column.unquoted().to_string(),
            doc: "",
            range: T::RANGE,
            iri: None,
            key: false,
            generated: false,
            nullable: T::NULLABLE,
            optional: T::NULLABLE,
            hidden: false,
            read_only: false,
            exact: false,
            rules: Rules::default(),
            read: |value| T::from_json(value).map(Into::into),
        };
        Self { column, info }
    }

    /// What the documentation says of it.
    pub fn doc(mut self, doc: &'static str) -> Self {
        self.info.doc = doc;
        self
    }

    /// Makes it part of the primary key; `generated` if the database makes its value.
    pub fn key(mut self, generated: bool) -> Self {
        self.info.key = true;
        self.info.generated = generated;
        self
    }

    /// The IRI of the property, of schema.org for example.
    pub fn iri(mut self, iri: &'static str) -> Self {
        self.info.iri = Some(iri);
        self
    }

    /// Leaves it out of documents.
    pub fn hidden(mut self) -> Self {
        self.info.hidden = true;
        self
    }

    /// Ignores it in what clients send.
    pub fn read_only(mut self) -> Self {
        self.info.read_only = true;
        self
    }

    /// Lets the database supply a value that is not sent.
    pub fn optional(mut self) -> Self {
        self.info.optional = true;
        self
    }

    /// Lets lists be filtered by the whole text instead of a part of it.
    pub fn exact(mut self) -> Self {
        self.info.exact = true;
        self
    }

    /// Refuses texts without anything visible.
    pub fn not_blank(mut self) -> Self {
        self.info.rules.not_blank = true;
        self
    }

    /// Limits the number of characters.
    pub fn length(mut self, min: Option<u64>, max: Option<u64>) -> Self {
        self.info.rules.length = (min, max);
        self
    }

    /// Limits the value.
    pub fn range(mut self, min: Option<i64>, max: Option<i64>) -> Self {
        self.info.rules.range = (min, max);
        self
    }
}

impl Info {
    /// Key fields, in the order of the model.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &FieldInfo> {
        self.fields.iter().filter(|field| field.key)
    }
}

impl FieldInfo {
    /// Whether clients may set it; keys that the application gives are set once, at creation.
    pub(crate) fn is_writable(&self) -> bool {
        !self.hidden && !self.read_only && !self.key
    }

    /// Whether a creation must bring it.
    pub(crate) fn is_required(&self) -> bool {
        !self.optional && !self.nullable && !self.generated && !self.hidden && !self.read_only
    }
}
