//! Keys of several columns, texts and UUIDs, renamed columns, and values that databases keep in their own ways.

use petasos::App;
use petasos::client::{Publisher, Recording, Update};
use sea_orm::prelude::{Decimal, Uuid};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, QueryFilter, Schema};
use sea_orm::{ColumnTrait, sea_query::Expr};
use serde_json::{Value, json};

use crate::entities::{line, ticket};
use crate::support::{Served, database};

struct Shop {
    served: Served,
    updates: Recording,
}

impl Shop {
    fn open() -> Self {
        let (publisher, updates) = Publisher::recording();
        let hub = "https://hub.example.com/.well-known/mercure";
        let database = database(module_path!());
        let variables: Vec<(&str, &str)> =
            database.iter().map(|url| ("DATABASE_URL", url.as_str())).collect();
        let served = Served::start_with(
            &variables,
            |app: App| {
                app.resource::<line::Entity>().resource::<ticket::Entity>().hub("default", publisher, hub)
            },
            async |db| {
                let schema = Schema::new(db.get_database_backend());
                db.execute(&schema.create_table_from_entity(line::Entity)).await.unwrap();
                db.execute(&schema.create_table_from_entity(ticket::Entity)).await.unwrap();
            },
        );
        Self { served, updates }
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.served.runtime.block_on(future)
    }

    /// All updates, once there are so many; each as its path and document.
    fn updates(&self, count: usize) -> Vec<(String, Value)> {
        let wait =
            async { tokio::time::timeout(petasos_testkit::PATIENCE, self.updates.reaches(count)).await };
        let updates = self.run(wait).unwrap();
        let one = |update: &Update| {
            let path = update.topics()[0].as_str().replace(&self.served.url, "");
            (path, serde_json::from_str(update.data()).unwrap())
        };
        updates.iter().map(one).collect()
    }
}

fn row(order: &str, number: i32) -> line::ActiveModel {
    line::ActiveModel {
        order: Set(order.to_owned()),
        number: Set(number),
        amount: Set(Some("1234.5".parse::<Decimal>().unwrap())),
        picture: Set(Some(vec![0, 255])),
    }
}

#[test]
fn a_row_with_a_key_of_several_columns_is_published_where_it_can_be_fetched() {
    let shop = Shop::open();
    shop.run(line::Entity::insert_many([row("a/b;c=d", 1), row("a/b;c=d", 2)]).exec(&shop.served.db))
        .unwrap();
    let updates = shop.updates(2);
    for (path, document) in &updates {
        assert_eq!(shop.served.document(path), *document, "{path}");
        assert_eq!((&document["order"], document["@id"].as_str()), (&json!("a/b;c=d"), Some(path.as_str())));
    }
    shop.run(
        line::Entity::update_many()
            .col_expr(line::Column::Number, Expr::value(7))
            .filter(line::Column::Number.eq(2))
            .exec(&shop.served.db),
    )
    .unwrap();
    // The row is gone from where it was, and has come where it is.
    let mut moved = shop.updates(4).split_off(2);
    moved.sort_by_key(|(_, document)| document.get("@type").is_some());
    assert_eq!(moved[0], (updates[1].0.clone(), json!({"@id": updates[1].0})));
    assert_eq!((&moved[1].1["number"], &shop.served.document(&moved[1].0)), (&json!(7), &moved[1].1));
    shop.run(line::Entity::delete_many().exec(&shop.served.db)).unwrap();
    let gone: Vec<String> = shop.updates(6).split_off(4).into_iter().map(|(path, _)| path).collect();
    assert!(gone.contains(&updates[0].0) && gone.contains(&moved[1].0), "{gone:?}");
}

#[test]
fn a_row_with_a_uuid_is_published_where_it_can_be_fetched() {
    let shop = Shop::open();
    let id = Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
    shop.run(ticket::ActiveModel { id: Set(id), seat: Set("A1".to_owned()) }.insert(&shop.served.db))
        .unwrap();
    let path = "/tickets/00112233-4455-6677-8899-aabbccddeeff".to_owned();
    let updates = shop.updates(1);
    assert_eq!(updates[0], (path.clone(), shop.served.document(&path)));
    shop.run(ticket::Entity::delete_by_id(id).exec(&shop.served.db)).unwrap();
    assert_eq!(shop.updates(2)[1], (path.clone(), json!({"@id": path})));
}
