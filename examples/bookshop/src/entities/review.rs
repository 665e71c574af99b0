//! What a reader says about a book.

use petasos::Resource;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// A review. It goes when its book goes.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize, Resource)]
#[sea_orm(table_name = "review")]
#[serde(rename_all = "camelCase")]
#[resource(mercure)]
pub struct Model {
    /// Never used again for another review.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// The book that it is about.
    pub book_id: i32,
    /// Who wrote it.
    #[resource(not_blank, length(max = 255))]
    pub author: String,
    /// One to five stars.
    #[resource(range(min = 1, max = 5))]
    pub rating: i32,
    /// The text.
    #[sea_orm(column_type = "Text")]
    #[resource(not_blank, length(max = 10000))]
    pub body: String,
}

/// What a review is connected to.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The book that it is about.
    #[sea_orm(
        belongs_to = "super::book::Entity",
        from = "Column::BookId",
        to = "super::book::Column::Id",
        on_delete = "Cascade"
    )]
    Book,
}

impl Related<super::book::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Book.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
