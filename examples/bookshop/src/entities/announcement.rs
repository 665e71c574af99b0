//! An announcement to some of those who have to do with the shop.

use petasos::Resource;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// An announcement. Its audience is told, and the staff of everything.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize, Resource)]
#[sea_orm(table_name = "announcement")]
#[resource(mercure(targets = ["staff", "@=object.audience"]))]
pub struct Model {
    /// Never used again for another announcement.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// `readers` or `staff`.
    #[resource(exact, not_blank, length(max = 255))]
    pub audience: String,
    /// The text.
    #[resource(not_blank, length(max = 1000))]
    pub text: String,
}

/// It stands alone.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
