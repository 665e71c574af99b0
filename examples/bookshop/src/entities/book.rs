//! A book on the shelf.

use petasos::Resource;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// A book. Everything but its title and author may be unknown, so that one line of SQL can add one.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize, Resource)]
#[sea_orm(table_name = "book")]
#[serde(rename_all = "camelCase")]
#[resource(mercure)]
pub struct Model {
    /// Never used again for another book.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// As on the cover.
    #[resource(not_blank, length(max = 255), iri = "https://schema.org/name")]
    pub title: String,
    /// Who wrote it.
    #[resource(not_blank, length(max = 255))]
    pub author: String,
    /// The thirteen digits of an edition in print.
    #[resource(length(max = 17))]
    pub isbn: Option<String>,
    /// When it was first published; the first of the month or year where no more is known.
    pub publication_date: Option<Date>,
    /// Integer cents, because SQLite keeps decimals as floating-point numbers.
    #[resource(range(min = 0))]
    pub price_cents: Option<i32>,
    /// One sentence.
    #[sea_orm(column_type = "Text", nullable)]
    pub description: Option<String>,
}

/// What a book is connected to.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// What readers say about it.
    #[sea_orm(has_many = "super::review::Entity")]
    Review,
}

impl Related<super::review::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Review.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
