//! Entities as users write them.

pub mod book {
    //! A live one.

    use petasos::Resource;
    use sea_orm::entity::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize, Resource)]
    #[sea_orm(table_name = "book")]
    #[serde(rename_all = "camelCase")]
    #[resource(mercure)]
    /// A book.
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        /// On the cover.
        #[resource(iri = "https://schema.org/name", not_blank, length(max = 20))]
        pub title: String,
        #[sea_orm(unique)]
        pub isbn: Option<String>,
        pub publication_date: Option<Date>,
        #[resource(range(min = 0, max = 5))]
        pub rating: Option<i32>,
        pub price: Option<f64>,
        #[sea_orm(column_type = "JsonBinary", nullable)]
        pub owners: Option<Json>,
        #[sea_orm(default_value = false)]
        pub sold: bool,
        #[serde(skip)]
        #[sea_orm(default_value = "")]
        pub secret: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod tag {
    //! One that is not live, with a key of its own.

    use petasos::Resource;
    use sea_orm::entity::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize, Resource)]
    #[sea_orm(table_name = "tag")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub color: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A line of an order, with a key of two columns.
pub mod line {
    use petasos::Resource;
    use sea_orm::entity::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize, Resource)]
    #[sea_orm(table_name = "line")]
    #[serde(rename_all = "camelCase")]
    #[resource(mercure)]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_name = "the order")]
        pub order: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i32,
        #[sea_orm(column_type = "Decimal(Some((20, 4)))", nullable)]
        pub amount: Option<Decimal>,
        #[serde(skip)]
        pub picture: Option<Vec<u8>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A ticket, known by a UUID.
pub mod ticket {
    use petasos::Resource;
    use sea_orm::entity::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize, Resource)]
    #[sea_orm(table_name = "ticket")]
    #[resource(mercure)]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub seat: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A shelf in another schema, known by its name.
pub mod shelf {
    use petasos::Resource;
    use sea_orm::entity::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize, Resource)]
    #[sea_orm(schema_name = "storage", table_name = "shelf")]
    #[resource(mercure)]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub place: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
