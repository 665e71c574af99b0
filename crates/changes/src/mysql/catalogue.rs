//! What the server knows of the tables that are watched, and of the foreign keys that change their rows.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, Statement};

use crate::dialect::Dialect;
use crate::{Error, Table};

/// Schema and name.
pub(crate) type Name = (String, String);

/// A table that is watched, as it is.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) table: Table,
    pub(crate) name: Name,
    /// The types of its columns, by name.
    pub(crate) types: HashMap<String, String>,
}

/// A foreign key that changes the rows of its table when others change.
#[derive(Clone, Debug)]
pub(crate) struct ForeignKey {
    pub(crate) name: String,
    pub(crate) child: Name,
    pub(crate) parent: Name,
    /// The columns of the child, and those of the parent that they refer to.
    pub(crate) columns: Vec<(String, String)>,
    pub(crate) on_delete: Rule,
    pub(crate) on_update: Rule,
}

/// What a foreign key does to the rows that refer to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Cascade,
    SetNull,
    /// They cannot change, or they stay as they are.
    Nothing,
}

/// What the server knows.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue {
    pub(crate) watched: Vec<Watched>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
}

impl Catalogue {
    pub(crate) async fn read(
        db: &impl ConnectionTrait,
        database: &str,
        tables: &[Table],
    ) -> Result<Self, Error> {
        let mut watched = Vec::new();
        for table in tables {
            watched.push(find(db, database, table).await?);
        }
        Ok(Self { watched, foreign_keys: foreign_keys(db).await? })
    }

    pub(crate) fn watched(&self, name: &Name) -> Option<&Watched> {
        self.watched.iter().find(|watched| watched.name == *name)
    }

    /// The foreign keys that refer to a table.
    pub(crate) fn referring_to(&self, parent: &Name) -> impl Iterator<Item = &ForeignKey> {
        self.foreign_keys.iter().filter(move |key| key.parent == *parent)
    }
}

async fn find(db: &impl ConnectionTrait, database: &str, table: &Table) -> Result<Watched, Error> {
    let name = (table.schema.clone().unwrap_or_else(|| database.to_owned()), table.name.clone());
    let sql = format!(
        "SELECT CAST(COLUMN_NAME AS CHAR), CAST(DATA_TYPE AS CHAR) FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
        Dialect::Mysql.text(&name.0),
        Dialect::Mysql.text(&name.1)
    );
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let types = rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)));
    let types: HashMap<String, String> = types.collect::<Result<_, sea_orm::DbErr>>()?;
    if types.is_empty() {
        return Err(Error::NoTable(table.id()));
    }
    match table.key.iter().chain(&table.columns).find(|column| !types.contains_key(&column.name)) {
        Some(column) => Err(Error::NoColumn { table: table.id(), column: column.name.clone() }),
        None => Ok(Watched { table: table.clone(), name, types }),
    }
}

/// All of them that change rows: those of tables that are not watched may lead to one that is.
async fn foreign_keys(db: &impl ConnectionTrait) -> Result<Vec<ForeignKey>, Error> {
    let sql = "SELECT CAST(k.CONSTRAINT_NAME AS CHAR), CAST(k.TABLE_SCHEMA AS CHAR), CAST(k.TABLE_NAME AS CHAR), \
               CAST(k.REFERENCED_TABLE_SCHEMA AS CHAR), CAST(k.REFERENCED_TABLE_NAME AS CHAR), \
               CAST(k.COLUMN_NAME AS CHAR), CAST(k.REFERENCED_COLUMN_NAME AS CHAR), \
               CAST(r.DELETE_RULE AS CHAR), CAST(r.UPDATE_RULE AS CHAR) \
               FROM information_schema.REFERENTIAL_CONSTRAINTS r JOIN information_schema.KEY_COLUMN_USAGE k \
               ON k.CONSTRAINT_SCHEMA = r.CONSTRAINT_SCHEMA AND k.CONSTRAINT_NAME = r.CONSTRAINT_NAME \
               AND k.TABLE_NAME = r.TABLE_NAME \
               WHERE r.DELETE_RULE IN ('CASCADE', 'SET NULL') OR r.UPDATE_RULE IN ('CASCADE', 'SET NULL') \
               ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION";
    let mut keys: Vec<ForeignKey> = Vec::new();
    for row in db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await? {
        let text = |index: usize| row.try_get_by_index::<String>(index);
        let (name, child) = (text(0)?, (text(1)?, text(2)?));
        let columns = (text(5)?, text(6)?);
        match keys.last_mut().filter(|last| last.name == name && last.child == child) {
            Some(last) => last.columns.push(columns),
            None => keys.push(ForeignKey {
                name,
                child,
                parent: (text(3)?, text(4)?),
                columns: vec![columns],
                on_delete: Rule::from_name(&text(7)?),
                on_update: Rule::from_name(&text(8)?),
            }),
        }
    }
    Ok(keys)
}

impl Rule {
    fn from_name(name: &str) -> Self {
        match name {
            "CASCADE" => Self::Cascade,
            "SET NULL" => Self::SetNull,
            _ => Self::Nothing,
        }
    }
}
