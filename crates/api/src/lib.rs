//! Live REST and JSON-LD resources over SeaORM entities: when a row changes, every screen that shows it changes.
//!
//! Derive [`Resource`] on a SeaORM model and give its entity to an [`App`]. The API stands at the root of its origin, in
//! JSON-LD with Hydra and in plain JSON. An entity marked `#[resource(mercure)]` is live: database triggers notice each
//! creation, update and deletion, whoever makes it, and the new version (or, for a deletion, the IRI) is published to a
//! Mercure hub, which responses announce by a `Link` header. The hub is inside the program unless `MERCURE_PUBLISH_URL`
//! names another one.
//!
//! ```no_run
//! mod book {
//!     use petasos::Resource;
//!     use sea_orm::entity::prelude::*;
//!     use serde::{Deserialize, Serialize};
//!
//!     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize, Resource)]
//!     #[sea_orm(table_name = "book")]
//!     #[resource(mercure)]
//!     pub struct Model {
//!         #[sea_orm(primary_key)]
//!         pub id: i32,
//!         #[resource(not_blank, length(max = 255))]
//!         pub title: String,
//!     }
//!
//!     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
//!     pub enum Relation {}
//!
//!     impl ActiveModelBehavior for ActiveModel {}
//! }
//!
//! # #[allow(clippy::needless_doctest_main)]
//! #[tokio::main]
//! async fn main() -> petasos::Result<()> {
//!     petasos::App::from_env()?.resource::<book::Entity>().serve().await
//! }
//! ```
//!
//! # What the derive understands
//!
//! On the model: `#[resource(mercure)]` makes it live, and its options say who is told what ([`live`]);
//! `views(Short)` names other serialisations, types that are `From` the model and `Serialize`; `path = "/books"` and `name = "Book"` replace what is made of the
//! table's name. On a field: `iri = "https://schema.org/name"`, `read_only`, `skip`, `exact` (lists are filtered by
//! the whole text, not by a part of it), `not_blank`, `length(min = 1, max = 255)`, `range(min = 0, max = 5)`. Fields are called in documents what serde calls them.
//!
//! An expression with a syntax error does not compile:
//!
//! ```compile_fail
//! # mod book {
//! # use petasos::Resource;
//! # use sea_orm::entity::prelude::*;
//! # use serde::{Deserialize, Serialize};
//! #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize, Resource)]
//! #[sea_orm(table_name = "book")]
//! #[resource(mercure = "object.owners +")] // syntax error in the expression at line 1, column 16
//! pub struct Model {
//!     #[sea_orm(primary_key)]
//!     pub id: i32,
//!     pub owners: Json,
//! }
//! # #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
//! # pub enum Relation {}
//! # impl ActiveModelBehavior for ActiveModel {}
//! # }
//! ```

#![forbid(unsafe_code)]

mod app;
pub use app::{App, Server, interrupted};
#[cfg(feature = "embedded-hub")]
mod embedded;
mod error;
pub use error::{Error, Result};
mod http;
mod jsonld;
pub mod client {
    //! For programs that publish by themselves: publish, subscribe, discover, mint tokens.
    //!
    //! [`Publisher`] sends updates to a hub. In tests [`Publisher::recording`] stands for a hub, of a program's own publishing
    //! and, given to [`App::hub`](crate::App::hub), of what resources publish:
    //!
    //! ```
    //! # mod order {
    //! #     use petasos::Resource;
    //! #     use sea_orm::entity::prelude::*;
    //! #     use serde::{Deserialize, Serialize};
    //! #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize, Resource)]
    //! #     #[sea_orm(table_name = "order")]
    //! #     #[resource(mercure = "'/users/' + object.customer")]
    //! #     pub struct Model {
    //! #         #[sea_orm(primary_key)]
    //! #         pub id: i32,
    //! #         pub customer: String,
    //! #     }
    //! #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    //! #     pub enum Relation {}
    //! #     impl ActiveModelBehavior for ActiveModel {}
    //! # }
    //! use petasos::{App, client::Publisher};
    //! use sea_orm::{ActiveModelTrait, ActiveValue::Set};
    //!
    //! # #[tokio::main(flavor = "current_thread")]
    //! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    //! let (publisher, recording) = Publisher::recording();
    //! let mut app = App::from_lookup(|name| (name == "DATABASE_URL").then(|| "sqlite::memory:".to_owned()))?
    //!     .resource::<order::Entity>()
    //!     .create_tables()
    //!     .hub("default", publisher, "https://example.com/.well-known/mercure");
    //! let db = app.connect().await?;
    //! let _api = app.into_router("https://example.com").await?;
    //!
    //! order::ActiveModel { customer: Set("ann".to_owned()), ..Default::default() }.insert(&db).await?;
    //! let update = recording.reaches(1).await.remove(0);
    //! assert_eq!(update.data(), r#"{"@context":"/contexts/Order","@id":"/orders/1","@type":"Order","id":1,"customer":"ann"}"#);
    //! assert!(update.is_private());
    //! # Ok(())
    //! # }
    //! ```

    pub use petasos_client::*;
    pub use petasos_protocol::{EventId, EventType, Topic, Update};
}
pub mod live;
pub mod resource;
pub use petasos_derive::Resource;
pub use resource::Resource;
