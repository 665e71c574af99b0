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

/// A room, which takes its seats with it.
pub mod room {
    use petasos::Resource;
    use sea_orm::entity::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize, Resource)]
    #[sea_orm(table_name = "room")]
    #[resource(mercure)]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A seat in a room.
pub mod seat {
    use petasos::Resource;
    use sea_orm::entity::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize, Resource)]
    #[sea_orm(table_name = "seat")]
    #[resource(mercure)]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub room: i32,
        pub label: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::room::Entity",
            from = "Column::Room",
            to = "super::room::Column::Id",
            on_delete = "Cascade"
        )]
        Room,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Values of all types, which the topics of a row show.
pub mod thing {
    use petasos::Resource;
    use sea_orm::entity::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize, Resource)]
    #[sea_orm(table_name = "thing")]
    #[serde(rename_all = "camelCase")]
    #[resource(mercure(topics = [
        "@='urn:price:' + object.price",
        "@='urn:tags:' + object.tags.list[1] + string(object.tags.size)",
        "@='urn:made:' + object.madeOn",
        "@='urn:sold:' + object.soldAt",
        "@='urn:seen:' + object.seenAt",
        "@='urn:picture:' + object.picture",
        "@='urn:token:' + object.token",
        "@='urn:broken:' + string(object.broken)",
        "@='urn:weight:' + string(object.weight)",
        "@='urn:count:' + string(object.count)",
        "@='urn:note:' + (object.note == null ? 'null' : object.note)",
    ]))]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        #[sea_orm(column_type = "Decimal(Some((20, 4)))", column_name = "the price")]
        pub price: Decimal,
        #[sea_orm(column_type = "JsonBinary")]
        pub tags: Json,
        pub made_on: Date,
        pub sold_at: DateTime,
        pub seen_at: DateTimeUtc,
        #[serde(skip)]
        pub picture: Vec<u8>,
        pub token: Uuid,
        pub broken: bool,
        pub weight: f64,
        pub count: i64,
        pub note: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
