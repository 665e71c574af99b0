//! A resource with its Rust types, behind [`ErasedResource`].

use std::collections::HashMap;

use futures_util::future::BoxFuture;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use petasos_changes::{Operation, Table};
use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DatabaseConnection,
    DbErr, EntityTrait, IntoActiveModel, ModelTrait, Order, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, RuntimeErr, Schema, Select, SqlErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait, Value as DbValue,
};
use serde_json::{Map, Value};

use super::description::{Live, View};
use super::erased::{Key, StoreError};
use super::input::{REFERENCE, UNIQUE};
use super::row::{LiveRow, json_of};
use super::{Description, ErasedResource, FieldInfo, Info, Item, ListQuery, Page, Resource, Violation};
use crate::live::Setup;

/// The resource that the entity `E` is.
pub(crate) struct Typed<E: EntityTrait> {
    pub(super) info: Info,
    pub(super) columns: Vec<E::Column>,
    pub(super) live: Option<Live<E>>,
    pub(super) views: Vec<(&'static str, View<E>)>,
}

impl<E: Resource> Typed<E> {
    pub(crate) fn new() -> Self {
        let Description { info, columns, live, views } = E::describe();
        Self { info, columns, live, views }
    }

    pub(super) fn item(&self, model: &E::Model) -> Result<Item, StoreError> {
        let mut row = match serde_json::to_value(model) {
            Ok(Value::Object(row)) => row,
            Ok(_) => {
                return Err(StoreError::Failed(format!(
                    "a {} is not serialised as an object",
                    self.info.name
                )));
            }
            Err(error) => {
                return Err(StoreError::Failed(format!(
                    "a {} cannot be serialised: {error}",
                    self.info.name
                )));
            }
        };
        let shown = self.info.fields.iter().filter(|field| !field.hidden);
        Ok(shown.filter_map(|field| row.remove_entry(field.name)).collect())
    }

    fn by_key(&self, key: &Key) -> Condition {
        key.iter()
            .fold(Condition::all(), |all, (place, value)| all.add(self.columns[*place].eq(value.clone())))
    }

    fn by_keys(&self, asked: &[(String, Key, Operation)]) -> Condition {
        let single: Option<Vec<_>> =
            asked.iter().map(|(_, key, _)| <[_; 1]>::try_from(key.clone()).ok()).collect();
        match single.as_deref() {
            Some([[(place, _)], ..]) => {
                let values = single.iter().flatten().map(|[(_, value)]| value.clone());
                Condition::all().add(self.columns[*place].is_in(values))
            }
            _ => asked.iter().fold(Condition::any(), |any, (_, key, _)| any.add(self.by_key(key))),
        }
    }

    /// The row by its id, unless nobody asked for it or it cannot be read.
    fn asked_for(
        &self,
        model: E::Model,
        operations: &HashMap<String, Operation>,
    ) -> Option<(String, LiveRow<'_>)> {
        let key = |place: usize| (self.info.fields[place].name, json_of(&model.get(self.columns[place])));
        let fields = self.info.fields.iter().enumerate();
        let parts: Vec<_> = fields.filter(|(_, field)| field.key).map(|(place, _)| key(place)).collect();
        let id = id(parts.iter().map(|(name, value)| (*name, value)));
        let row = self.live_row(model, *operations.get(&id)?).ok()?;
        Some((id, row))
    }

    fn filtered(&self, query: &ListQuery) -> Select<E> {
        query.filters.iter().fold(E::find(), |select, (place, texts)| {
            let any = texts.iter().filter_map(|text| self.filter(*place, text));
            select.filter(any.fold(Condition::any(), Condition::add))
        })
    }

    /// Texts are searched for unless they are `exact`, everything else is compared. A text that cannot be such a value matches nothing.
    fn filter(&self, place: usize, text: &str) -> Option<Condition> {
        let (field, column) = (&self.info.fields[place], self.columns[place]);
        let is_text =
            field.range == "xsd:string" && matches!((field.read)(&Value::from(text)), Ok(DbValue::String(_)));
        if is_text && field.exact {
            return Some(Condition::all().add(column.eq(text)));
        }
        if is_text {
            let escaped = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            let like = LikeExpr::new(format!("%{escaped}%")).escape('\\');
            return Some(
                Condition::all().add(Expr::expr(Func::lower(Expr::col((E::default(), column)))).like(like)),
            );
        }
        // An IRI stands for the id that it ends with.
        let text = text.rsplit('/').next().unwrap_or(text);
        Some(match from_text(field, text) {
            Some(value) => Condition::all().add(column.eq(value)),
            None => Condition::all().add(Expr::value(false)),
        })
    }

    fn ordered(&self, select: Select<E>, query: &ListQuery) -> Select<E> {
        let asked = query.sorts.iter().map(|sort| (self.columns[sort.field], sort.descending));
        let keys = self
            .info
            .fields
            .iter()
            .zip(&self.columns)
            .filter(|(field, _)| field.key)
            .map(|(_, key)| (*key, false));
        // The key comes last, so that pages never overlap.
        asked.chain(keys).fold(select, |select, (column, descending)| {
            select.order_by(column, if descending { Order::Desc } else { Order::Asc })
        })
    }

    fn refused(&self, error: &DbErr) -> StoreError {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(detail)) => {
                let field =
                    self.info.fields.iter().find(|field| detail.ends_with(&format!(".{}", field.column)));
                Self::violated(field, "This value is already used.", UNIQUE)
            }
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => Self::violated(
                None,
                "Something that this refers to, or that refers to this, stands in the way.",
                REFERENCE,
            ),
            _ if will_work_later(error) => StoreError::Busy(error.to_string()),
            _ => StoreError::Failed(error.to_string()),
        }
    }

    fn violated(field: Option<&FieldInfo>, message: &str, code: &'static str) -> StoreError {
        let field = field.map_or_else(String::new, |field| field.name.to_owned());
        StoreError::Violated(Violation { field, message: message.to_owned(), code })
    }

    async fn list_page(&self, db: &DatabaseConnection, query: &ListQuery) -> Result<Page, DbErr> {
        let select = self.filtered(query);
        let total = select.clone().count(db).await?;
        let offset = (query.page - 1).saturating_mul(query.per_page);
        let models = self.ordered(select, query).offset(offset).limit(query.per_page).all(db).await?;
        let items = models.iter().map(|model| self.item(model)).collect::<Result<_, _>>();
        Ok(Page { items: items.map_err(|error| DbErr::Custom(error.to_string()))?, total })
    }

    async fn write(
        &self,
        db: &DatabaseConnection,
        key: &Key,
        values: Key,
    ) -> Result<Option<E::Model>, DbErr> {
        let transaction = db.begin_with_options(WRITE).await?;
        let Some(model) = E::find().filter(self.by_key(key)).one(&transaction).await? else {
            return Ok(None);
        };
        if values.is_empty() {
            return Ok(Some(model));
        }
        let mut active = model.into_active_model();
        for (place, value) in values {
            active.set(self.columns[place], value);
        }
        let model = active.update(&transaction).await?;
        transaction.commit().await?;
        Ok(Some(model))
    }

    async fn remove(&self, db: &DatabaseConnection, key: &Key) -> Result<bool, DbErr> {
        let transaction = db.begin_with_options(WRITE).await?;
        let Some(model) = E::find().filter(self.by_key(key)).one(&transaction).await? else {
            return Ok(false);
        };
        model.into_active_model().delete(&transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

impl<E: Resource> ErasedResource for Typed<E> {
    fn info(&self) -> &Info {
        &self.info
    }

    fn table(&self) -> Table {
        Description::<E>::table()
    }

    fn create_table<'a>(&'a self, db: &'a DatabaseConnection) -> BoxFuture<'a, Result<(), DbErr>> {
        Box::pin(async move {
            let schema = Schema::new(db.get_database_backend());
            db.execute(schema.create_table_from_entity(E::default()).if_not_exists()).await.map(drop)
        })
    }

    fn id(&self, item: &Item) -> String {
        id(self.info.keys().map(|field| (field.name, item.get(field.name).unwrap_or(&Value::Null))))
    }

    fn canonical_id(&self, key: &Key) -> String {
        let part = |(place, value): &(usize, DbValue)| (self.info.fields[*place].name, json_of(value));
        let parts: Vec<(&'static str, Value)> = key.iter().map(part).collect();
        id(parts.iter().map(|(name, value)| (*name, value)))
    }

    fn changed_id(&self, key: &Map<String, Value>) -> Option<String> {
        let part = |field: &FieldInfo| Some((field.name, shown(field, key.get(&field.column)?)));
        let parts: Vec<(&'static str, Value)> = self.info.keys().map(part).collect::<Option<_>>()?;
        Some(id(parts.iter().map(|(name, value)| (*name, value))))
    }

    fn key(&self, id: &str) -> Option<Key> {
        let keys: Vec<(usize, &FieldInfo)> =
            self.info.fields.iter().enumerate().filter(|(_, field)| field.key).collect();
        let whole = percent_decode_str(id).decode_utf8().ok()?;
        if let [(place, field)] = keys[..] {
            return Some(vec![(place, from_text(field, &whole)?)]);
        }
        // A text of the key may hold the sign between its parts, which is encoded then, unless the client has encoded all.
        let is_raw = id.contains(';');
        let parts: Vec<(&str, &str)> = if is_raw { id } else { &whole }
            .split(';')
            .map(|part| part.split_once('='))
            .collect::<Option<_>>()?;
        let read = |field: &FieldInfo| {
            let text = parts.iter().find(|(name, _)| *name == field.name).map(|(_, text)| *text)?;
            let decoded = if is_raw { percent_decode_str(text).decode_utf8().ok()? } else { text.into() };
            from_text(field, &decoded)
        };
        keys.into_iter().map(|(place, field)| Some((place, read(field)?))).collect()
    }

    fn list<'a>(
        &'a self,
        db: &'a DatabaseConnection,
        query: &'a ListQuery,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move { self.list_page(db, query).await.map_err(|error| self.refused(&error)) })
    }

    fn find<'a>(
        &'a self,
        db: &'a DatabaseConnection,
        key: &'a Key,
    ) -> BoxFuture<'a, Result<Option<Item>, StoreError>> {
        Box::pin(async move {
            let found =
                E::find().filter(self.by_key(key)).one(db).await.map_err(|error| self.refused(&error))?;
            found.map(|model| self.item(&model)).transpose()
        })
    }

    fn setup(&self) -> Option<(&Setup, bool)> {
        self.live.as_ref().map(|live| (&live.setup, live.function.is_some()))
    }

    fn find_row<'a>(
        &'a self,
        db: &'a DatabaseConnection,
        key: Key,
        operation: Operation,
    ) -> BoxFuture<'a, Result<Option<LiveRow<'a>>, StoreError>> {
        Box::pin(async move {
            let found =
                E::find().filter(self.by_key(&key)).one(db).await.map_err(|error| self.refused(&error))?;
            found.map(|model| self.live_row(model, operation)).transpose()
        })
    }

    fn find_rows<'a>(
        &'a self,
        db: &'a DatabaseConnection,
        asked: Vec<(String, Key, Operation)>,
    ) -> BoxFuture<'a, Result<HashMap<String, LiveRow<'a>>, StoreError>> {
        Box::pin(async move {
            let models = E::find().filter(self.by_keys(&asked)).all(db).await;
            let models = models.map_err(|error| self.refused(&error))?;
            let operations: HashMap<String, Operation> =
                asked.into_iter().map(|(id, _, operation)| (id, operation)).collect();
            Ok(models.into_iter().filter_map(|model| self.asked_for(model, &operations)).collect())
        })
    }

    fn old_row(&self, old: &Map<String, Value>) -> Result<LiveRow<'_>, String> {
        self.gone_row(old)
    }

    fn create<'a>(
        &'a self,
        db: &'a DatabaseConnection,
        values: Key,
    ) -> BoxFuture<'a, Result<Item, StoreError>> {
        Box::pin(async move {
            let mut active = <E::ActiveModel as ActiveModelBehavior>::new();
            for (place, value) in values {
                active.set(self.columns[place], value);
            }
            let model = active.insert(db).await.map_err(|error| self.refused(&error))?;
            self.item(&model)
        })
    }

    fn update<'a>(
        &'a self,
        db: &'a DatabaseConnection,
        key: &'a Key,
        values: Key,
    ) -> BoxFuture<'a, Result<Option<Item>, StoreError>> {
        Box::pin(async move {
            let written = self.write(db, key, values).await.map_err(|error| self.refused(&error))?;
            written.map(|model| self.item(&model)).transpose()
        })
    }

    fn delete<'a>(
        &'a self,
        db: &'a DatabaseConnection,
        key: &'a Key,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move { self.remove(db, key).await.map_err(|error| self.refused(&error)) })
    }
}

/// The value that a text in an IRI or a query stands for: a number for numbers, the text itself otherwise.
fn from_text(field: &FieldInfo, text: &str) -> Option<DbValue> {
    let as_json =
        serde_json::from_str::<Value>(text).ok().filter(|value| value.is_number() || value.is_boolean());
    let number = as_json.and_then(|value| (field.read)(&value).ok());
    number.or_else(|| (field.read)(&Value::from(text)).ok().filter(|_| !text.is_empty()))
}

/// A value of the outbox as documents show it: a UUID is bytes in the database.
fn shown(field: &FieldInfo, value: &Value) -> Value {
    match (field.read)(value) {
        Ok(DbValue::Uuid(Some(uuid))) => uuid.to_string().into(),
        _ => value.clone(),
    }
}

/// One key column stands alone, several are named.
fn id<'a>(keys: impl Iterator<Item = (&'static str, &'a Value)>) -> String {
    let parts: Vec<(&str, String)> = keys.map(|(name, value)| (name, segment(value))).collect();
    match &parts[..] {
        [(_, only)] => only.clone(),
        _ => parts.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(";"),
    }
}

fn segment(value: &Value) -> String {
    match value {
        Value::String(text) => utf8_percent_encode(text, SEGMENT).to_string(),
        other => other.to_string(),
    }
}

/// A transaction that reads and then writes takes the lock first: SQLite refuses to upgrade it once somebody else has
/// written meanwhile, and no waiting helps then.
const WRITE: TransactionOptions = TransactionOptions {
    isolation_level: None,
    access_mode: None,
    sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
};

/// Everything but the unreserved characters of RFC 3986.
pub(crate) const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whether it is not the statement's fault: too many writers, or a server that is gone for a while.
fn will_work_later(error: &DbErr) -> bool {
    let driver = match error {
        DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => return true,
        DbErr::Exec(RuntimeErr::SqlxError(driver)) | DbErr::Query(RuntimeErr::SqlxError(driver)) => driver,
        _ => return false,
    };
    match &**driver {
        sqlx::Error::Database(said) => {
            let code = said.code().unwrap_or_default();
            // Deadlocks and conflicts, no more connections, and a server that stops or starts.
            let is_passing = ["40001", "40P01", "53300", "57P01", "57P02", "57P03"].contains(&code.as_ref());
            is_passing || code.starts_with("08") || said.message().contains("database is locked")
        }
        sqlx::Error::Io(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}
