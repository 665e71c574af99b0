//! Whoever writes, and in whatever way: subscribers are told of what is committed, and of nothing else.

use std::collections::BTreeMap;

use petasos::App;
use petasos::client::{Publisher, Recording};
use sea_orm::prelude::{Date, Expr, Uuid};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Schema,
    TransactionTrait,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::entities::{room, seat, thing};
use crate::support::{Served, database};

/// A hall whose updates are recorded.
struct Hall {
    served: Served,
    updates: Recording,
    url: String,
    _folder: TempDir,
}

impl Hall {
    fn open() -> Self {
        let (publisher, updates) = Publisher::recording();
        let folder = tempfile::tempdir().unwrap();
        let file = format!("sqlite://{}?mode=rwc", folder.path().join("hall.db").display());
        let url = database(module_path!()).unwrap_or(file);
        let resources = |app: App| {
            let app = app.resource::<room::Entity>().resource::<seat::Entity>().resource::<thing::Entity>();
            app.hub("default", publisher, "https://hub.example.com/.well-known/mercure")
        };
        let served = Served::start_with(&[("DATABASE_URL", &url)], resources, async |db| {
            let schema = Schema::new(db.get_database_backend());
            db.execute(&schema.create_table_from_entity(room::Entity)).await.unwrap();
            db.execute(&schema.create_table_from_entity(seat::Entity)).await.unwrap();
            db.execute(&schema.create_table_from_entity(thing::Entity)).await.unwrap();
        });
        let hall = Self { served, updates, url, _folder: folder };
        let rooms = (1..=2).map(|id| room::ActiveModel { id: Set(id) });
        hall.run(room::Entity::insert_many(rooms).exec(&hall.served.db)).unwrap();
        hall
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.served.runtime.block_on(future)
    }

    /// The seats as whoever has followed all updates knows them.
    fn seats(&self) -> BTreeMap<i64, String> {
        let mut seats = BTreeMap::new();
        for update in self.updates.updates() {
            let document: Value = serde_json::from_str(update.data()).unwrap();
            let Some(id) = document["@id"].as_str().unwrap().strip_prefix("/seats/") else { continue };
            let id = id.parse().unwrap();
            match document["label"].as_str() {
                Some(label) => seats.insert(id, label.to_owned()),
                None => seats.remove(&id),
            };
        }
        seats
    }

    /// Waits until whoever has followed all updates knows these seats and no others.
    fn settles(&self, expected: &[(std::ops::RangeInclusive<i64>, &str)]) {
        let each = |(ids, label): &(std::ops::RangeInclusive<i64>, &str)| {
            let label = (*label).to_owned();
            ids.clone().map(move |id| (id, label.clone())).collect::<Vec<_>>()
        };
        let expected: BTreeMap<i64, String> = expected.iter().flat_map(each).collect();
        loop {
            let count = self.updates.updates().len();
            let seats = self.seats();
            if seats == expected {
                return;
            }
            let more = async {
                tokio::time::timeout(petasos_testkit::PATIENCE, self.updates.reaches(count + 1)).await
            };
            assert!(self.run(more).is_ok(), "{seats:?} instead of {expected:?}{}", self.reasons());
        }
    }

    /// The update with this number, and all topics of it.
    fn update(&self, number: usize) -> (String, Vec<String>) {
        let wait =
            async { tokio::time::timeout(petasos_testkit::PATIENCE, self.updates.reaches(number)).await };
        let updates = self.run(wait);
        assert!(updates.is_ok(), "not so many updates{}", self.reasons());
        let update = updates.unwrap().swap_remove(number - 1);
        (update.data().to_owned(), update.topics().iter().map(|topic| topic.as_str().to_owned()).collect())
    }

    /// Why changes were set aside, if any were.
    fn reasons(&self) -> String {
        let reasons = petasos_testkit::sql(&self.url, "SELECT reason FROM petasos_set_aside");
        format!("; set aside: {reasons:?}")
    }
}

fn row(id: i32, room: i32, label: &str) -> seat::ActiveModel {
    seat::ActiveModel { id: Set(id), room: Set(room), label: Set(label.to_owned()) }
}

#[test]
fn bulk_statements_raw_sql_and_cascades_are_published_row_by_row() {
    let hall = Hall::open();
    let db = &hall.served.db;
    let rows = (1..=20).map(|id| row(id, 1, "new"));
    hall.run(seat::Entity::insert_many(rows).exec(db)).unwrap();
    hall.settles(&[(1..=20, "new")]);
    let update = seat::Entity::update_many().col_expr(seat::Column::Label, Expr::value("red"));
    hall.run(update.filter(seat::Column::Id.lte(10)).exec(db)).unwrap();
    hall.settles(&[(1..=10, "red"), (11..=20, "new")]);
    let copy = "INSERT INTO seat (id, room, label) SELECT id + 100, 2, 'copy' FROM seat WHERE id <= 3";
    hall.run(db.execute_unprepared(copy)).unwrap();
    hall.settles(&[(1..=10, "red"), (11..=20, "new"), (101..=103, "copy")]);
    hall.run(seat::Entity::delete_many().filter(seat::Column::Id.between(6, 20)).exec(db)).unwrap();
    hall.settles(&[(1..=5, "red"), (101..=103, "copy")]);
    hall.run(room::Entity::delete_by_id(1).exec(db)).unwrap();
    hall.settles(&[(101..=103, "copy")]);
    // A key that moves is gone from where it was.
    hall.run(db.execute_unprepared("UPDATE seat SET id = 7 WHERE id = 102")).unwrap();
    hall.settles(&[(7..=7, "copy"), (101..=101, "copy"), (103..=103, "copy")]);
}

#[test]
fn only_what_is_committed_is_published() {
    let hall = Hall::open();
    hall.run(async {
        let outer = hall.served.db.begin().await.unwrap();
        row(1, 1, "kept").insert(&outer).await.unwrap();
        let dropped = outer.begin().await.unwrap();
        row(2, 1, "never").insert(&dropped).await.unwrap();
        let within = dropped.begin().await.unwrap();
        row(3, 1, "never").insert(&within).await.unwrap();
        within.commit().await.unwrap();
        dropped.rollback().await.unwrap();
        let inner = outer.begin().await.unwrap();
        row(4, 1, "kept").insert(&inner).await.unwrap();
        inner.commit().await.unwrap();
        assert!(hall.seats().is_empty(), "nothing is committed yet");
        outer.commit().await.unwrap();
        let outer = hall.served.db.begin().await.unwrap();
        row(1, 1, "never").update(&outer).await.unwrap();
        seat::Entity::delete_by_id(4).exec(&outer).await.unwrap();
        outer.rollback().await.unwrap();
        row(5, 1, "last").insert(&hall.served.db).await.unwrap();
    });
    hall.settles(&[(1..=1, "kept"), (4..=4, "kept"), (5..=5, "last")]);
    assert!(hall.updates.updates().iter().all(|update| !update.data().contains("never")));
}

#[test]
fn what_other_programs_commit_is_published() {
    let hall = Hall::open();
    let run = |text: &str| petasos_testkit::sql(&hall.url, text).unwrap();
    run("INSERT INTO seat VALUES (1, 1, 'theirs'), (2, 1, 'theirs')");
    hall.settles(&[(1..=2, "theirs")]);
    run("BEGIN; UPDATE seat SET label = 'never'; ROLLBACK; DELETE FROM seat WHERE id = 2;");
    run(
        "BEGIN; INSERT INTO seat VALUES (3, 1, 'kept'); SAVEPOINT s; UPDATE seat SET label = 'never'; ROLLBACK TO s; COMMIT;",
    );
    hall.settles(&[(1..=1, "theirs"), (3..=3, "kept")]);
    assert!(hall.updates.updates().iter().all(|update| !update.data().contains("never")));
}

#[test]
fn a_transaction_that_stays_open_holds_back_nobody_and_is_published_when_it_commits() {
    let hall = Hall::open();
    if hall.url.starts_with("sqlite") {
        // It has one writer at a time: whoever waits has not written yet.
        return;
    }
    let late = hall.run(hall.served.db.begin()).unwrap();
    hall.run(row(1, 1, "late").insert(&late)).unwrap();
    for id in 2..=6 {
        hall.run(row(id, 2, "quick").insert(&hall.served.db)).unwrap();
        hall.settles(&[(2..=i64::from(id), "quick")]);
    }
    hall.run(late.commit()).unwrap();
    hall.settles(&[(1..=1, "late"), (2..=6, "quick")]);
}

#[test]
fn an_expression_sees_the_same_values_before_and_after_the_row_is_deleted() {
    let hall = Hall::open();
    let day = Date::from_ymd_opt(2026, 12, 31).unwrap();
    let noon = day.and_hms_opt(12, 30, 0).unwrap();
    let new = thing::ActiveModel {
        id: Set(1),
        price: Set("1234.5".parse().unwrap()),
        tags: Set(json!({"list": ["a", "b"], "size": 2})),
        made_on: Set(day),
        sold_at: Set(noon),
        seen_at: Set(noon.and_utc()),
        picture: Set(vec![0, 171, 255]),
        token: Set(Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff)),
        broken: Set(true),
        weight: Set(0.1),
        count: Set(9_007_199_254_740_993),
        note: Set(None),
    };
    hall.run(new.insert(&hall.served.db)).unwrap();
    // After those of the two rooms.
    let (_, created) = hall.update(3);
    hall.run(thing::Entity::delete_by_id(1).exec(&hall.served.db)).unwrap();
    let (data, deleted) = hall.update(4);
    assert_eq!(data, "{\"@id\":\"/things/1\"}");
    assert_eq!(deleted, created);
    for expected in [
        "urn:price:1234.5",
        "urn:tags:b2",
        "urn:made:2026-12-31",
        "urn:sold:2026-12-31T12:30:00",
        "urn:seen:2026-12-31T12:30:00Z",
        "urn:picture:00ABFF",
        "urn:token:00112233-4455-6677-8899-aabbccddeeff",
        "urn:broken:true",
        "urn:weight:0.1",
        "urn:count:9007199254740993",
        "urn:note:null",
    ] {
        assert!(created.iter().any(|topic| topic.starts_with(expected)), "{expected} is not in {created:?}");
    }
}
