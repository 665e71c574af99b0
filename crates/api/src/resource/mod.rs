//! Resources: entities that the API exposes.

use sea_orm::{ActiveModelBehavior, ActiveModelTrait, EntityTrait, IntoActiveModel};
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
mod typed;
pub(crate) use typed::Typed;

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
    ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send
{
}

impl<E: EntityTrait, A: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send> ResourceActiveModel<E>
    for A
{
}
