//! Resources: entities that the API exposes.

use sea_orm::{ActiveModelBehavior, ActiveModelTrait, EntityTrait, IntoActiveModel, TryIntoModel};
use serde::Serialize;

mod description;
pub use description::{Description, Field};
pub(crate) use description::{FieldInfo, Info, Rules};
mod erased;
pub(crate) use erased::{ErasedResource, Item, Key, Page, StoreError};
mod field_type;
pub use field_type::FieldType;
mod input;
pub(crate) use input::{Input, Violation};
mod query;
pub(crate) use query::ListQuery;
mod row;
pub(crate) use row::LiveRow;
mod typed;
pub(crate) use typed::{SEGMENT, Typed};

/// A SeaORM entity that the API exposes. `#[derive(Resource)]` on its model implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a resource",
    note = "add `#[derive(petasos::Resource)]` to the model of the entity"
)]
pub trait Resource:
    EntityTrait<
        Model: IntoActiveModel<Self::ActiveModel> + Send + Serialize + Sync,
        ActiveModel: ResourceActiveModel<Self>,
    >
{
    /// Describes the resource.
    fn describe() -> Description<Self>;
}

/// What the active model of a resource has to be; every SeaORM active model is.
pub trait ResourceActiveModel<E: EntityTrait>:
    ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send + TryIntoModel<E::Model>
{
}

impl<E, A> ResourceActiveModel<E> for A
where
    E: EntityTrait,
    A: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send + TryIntoModel<E::Model>,
{
}
