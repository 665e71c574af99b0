//! Tables in other schemas: on PostgreSQL a schema, on MariaDB another database of the server.

use petasos::App;
use petasos::client::Publisher;
use petasos_testkit::PATIENCE;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, Schema};

use crate::entities::shelf;
use crate::support::{Served, database};

fn a_table_in_another_schema_is_live(server: &str, schema: &str) {
    let url = database(server).unwrap();
    let (publisher, updates) = Publisher::recording();
    let hub = "https://hub.example.com/.well-known/mercure";
    let served = Served::start_with(
        &[("DATABASE_URL", &url)],
        |app: App| app.resource::<shelf::Entity>().hub("default", publisher, hub),
        async |db| {
            db.execute_unprepared(&format!("CREATE {schema} storage")).await.unwrap();
            let schema = Schema::new(db.get_database_backend());
            db.execute(&schema.create_table_from_entity(shelf::Entity)).await.unwrap();
        },
    );
    let row = shelf::ActiveModel { name: Set("A 1".to_owned()), place: Set("left".to_owned()) };
    let last = |count: usize| {
        let wait = async { tokio::time::timeout(PATIENCE, updates.reaches(count)).await };
        served.runtime.block_on(wait).unwrap().pop().unwrap()
    };
    served.runtime.block_on(row.insert(&served.db)).unwrap();
    let created = last(1);
    let path = created.topics()[0].as_str().replace(&served.url, "");
    assert_eq!(served.get(&path).body, created.data());
    served.runtime.block_on(shelf::Entity::delete_by_id("A 1").exec(&served.db)).unwrap();
    assert_eq!(last(2).data(), format!("{{\"@id\":\"{path}\"}}"));
}

#[test]
fn on_postgresql_a_table_in_another_schema_is_live() {
    a_table_in_another_schema_is_live("on_postgres", "SCHEMA");
}

#[test]
fn on_mariadb_a_table_in_another_database_is_live() {
    a_table_in_another_schema_is_live("on_mariadb", "DATABASE");
}
