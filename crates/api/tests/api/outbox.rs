//! The outbox of an application: many rows at once, what operators see, and SQL for migration tools.

use petasos::App;
use petasos::client::{Publisher, Update};
use petasos_testkit::{PATIENCE, http};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DatabaseConnection, EntityTrait, Schema};
use serde_json::json;

use crate::forms::{massive, plain};
use crate::support::{Served, database};

const HUB: &str = "https://hub.example.com/.well-known/mercure";

fn variables(module: &str) -> Vec<(&'static str, String)> {
    database(module).map(|url| ("DATABASE_URL", url)).into_iter().collect()
}

async fn create<E: EntityTrait>(db: &DatabaseConnection, entity: E) {
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(entity)).await.unwrap();
}

#[test]
fn beyond_a_number_of_rows_the_collection_is_announced_once() {
    let (publisher, updates) = Publisher::recording();
    let variables = variables(module_path!());
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let served = Served::start_with(
        &variables,
        |app: App| app.resource::<massive::Entity>().hub("default", publisher, HUB),
        async |db| create(db, massive::Entity).await,
    );
    let insert = |ids: std::ops::Range<i32>| {
        let rows = ids.map(|id| massive::row(id, "ann"));
        served.runtime.block_on(massive::Entity::insert_many(rows).exec(&served.db)).unwrap();
    };
    let reaches = |count: usize| -> Vec<Update> {
        let wait = async { tokio::time::timeout(PATIENCE, updates.reaches(count)).await };
        served.runtime.block_on(wait).unwrap()
    };
    insert(0..50);
    assert!(reaches(50).iter().all(|update| update.topics()[0].as_str().contains("/massives/")));
    insert(100..1000);
    let announced = reaches(51).pop().unwrap();
    assert_eq!(announced.topics()[0].as_str(), format!("{}/massives", served.url));
    assert_eq!(announced.topics()[1].as_str(), "staff");
    let data: serde_json::Value = serde_json::from_str(announced.data()).unwrap();
    assert_eq!(data, json!({"@id": "/massives", "@type": "hydra:Collection"}));
    insert(2000..2001);
    let last = reaches(52).pop().unwrap();
    assert_eq!(last.topics()[0].as_str(), format!("{}/massives/2000", served.url));
}

#[test]
fn operators_see_how_much_waits_and_since_when() {
    // Nobody listens there: everything waits.
    let variables = [
        ("MERCURE_PUBLISH_URL", "http://127.0.0.1:9/.well-known/mercure"),
        ("MERCURE_JWT_SECRET", "a secret of at least thirty-two bytes"),
        ("PETASOS_ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let own = self::variables(module_path!());
    let own = own.iter().map(|(name, value)| (*name, value.as_str()));
    let variables: Vec<_> = own.chain(variables).collect();
    let served = Served::start_with(
        &variables,
        |app: App| app.resource::<plain::Entity>(),
        async |db| create(db, plain::Entity).await,
    );
    let metric = |name: &str| -> f64 {
        let text = http::get(served.metrics.as_ref().unwrap()).unwrap().body;
        text.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).unwrap().parse().unwrap()
    };
    assert_eq!((metric("petasos_outbox_depth"), metric("petasos_outbox_age_seconds")), (0.0, 0.0));
    for id in 1..=3 {
        served.runtime.block_on(plain::row(id, "ann").insert(&served.db)).unwrap();
    }
    assert_eq!((metric("petasos_outbox_depth"), metric("petasos_outbox_set_aside")), (3.0, 0.0));
    let before = metric("petasos_outbox_age_seconds");
    let start = std::time::Instant::now();
    while metric("petasos_outbox_age_seconds") <= before {
        assert!(start.elapsed() < PATIENCE, "the age stands still");
    }
}

#[test]
fn a_migration_tool_may_install_what_the_application_then_only_checks() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}?mode=rwc", folder.path().join("test.db").display());
    let url = database(module_path!()).unwrap_or(file);
    let app = || {
        let lookup = |name: &str| match name {
            "DATABASE_URL" => Some(url.clone()),
            "PETASOS_LISTEN" => Some("127.0.0.1:0".to_owned()),
            "MERCURE_TRANSPORT_URL" => Some("memory:".to_owned()),
            _ => None,
        };
        App::from_lookup(lookup).unwrap().resource::<plain::Entity>()
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut first = app();
        let db = first.connect().await.unwrap();
        create(&db, plain::Entity).await;
        let refused = app().migrated().bind().await.err().unwrap().to_string();
        assert!(refused.contains("not installed"), "{refused}");
        for statement in first.migration().await.unwrap() {
            db.execute_unprepared(&statement).await.unwrap();
        }
        assert!(first.migration().await.unwrap().is_empty());
        drop(app().migrated().bind().await.unwrap());
    });
}
