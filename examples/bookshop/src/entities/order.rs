//! An order, which concerns whoever placed it and nobody else.

use petasos::Resource;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// An order. Only its customer is told of it, whoever changes it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize, Resource)]
#[sea_orm(table_name = "orders")]
#[serde(rename_all = "camelCase")]
#[resource(name = "Order", path = "/orders", mercure = "'/users/' + escape(object.customer)")]
pub struct Model {
    /// Never used again for another order.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// Who placed it.
    #[resource(exact, not_blank, length(max = 255))]
    pub customer: String,
    /// What was ordered.
    pub book_id: i32,
    /// How far it is.
    #[resource(not_blank, length(max = 255))]
    pub status: String,
}

/// Orders outlive the books.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
