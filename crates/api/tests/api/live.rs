//! The program itself writes, through SeaORM and in SQL, and subscribers have it.

use petasos_testkit::Stream;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, TransactionTrait};
use serde_json::{Value, json};

use crate::entities::{book, tag};
use crate::support::{LD, Served};

fn next(stream: &mut Stream) -> Value {
    serde_json::from_str(&stream.next_event().unwrap().data).unwrap()
}

#[test]
fn what_seaorm_writes_is_published_as_get_shows_it() {
    let served = Served::start();
    let mut stream = served.subscribe("match_urlpattern=/books/:id");
    let new = book::ActiveModel {
        title: Set("Dune".to_owned()),
        owners: Set(Some(json!(["ann"]))),
        price: Set(Some(9.5)),
        ..Default::default()
    };
    let model = served.runtime.block_on(new.insert(&served.db)).unwrap();
    let event = stream.next_event().unwrap();
    let path = format!("/books/{}", model.id);
    let expected = format!(
        "{{\"@context\":\"/contexts/Book\",\"@id\":\"{path}\",\"@type\":\"Book\",\"id\":{},\"title\":\"Dune\",\"isbn\":null,\
         \"publicationDate\":null,\"rating\":null,\"price\":9.5,\"owners\":[\"ann\"],\"sold\":false}}",
        model.id
    );
    assert_eq!(event.data, expected);
    assert_eq!(served.document(&path), serde_json::from_str::<Value>(&expected).unwrap());

    let mut changed: book::ActiveModel = model.clone().into();
    changed.title = Set("Dune Messiah".to_owned());
    served.runtime.block_on(changed.update(&served.db)).unwrap();
    assert_eq!(next(&mut stream)["title"], "Dune Messiah");
    served.runtime.block_on(book::Entity::delete_by_id(model.id).exec(&served.db)).unwrap();
    assert_eq!(stream.next_event().unwrap().data, format!("{{\"@id\":\"{path}\"}}"));
}

#[test]
fn bulk_statements_and_transactions_are_published_once_committed() {
    let served = Served::start();
    let mut stream = served.subscribe("match_urlpattern=/books/:id");
    served.runtime.block_on(async {
        let kept = served.db.begin().await.unwrap();
        for number in 1..=50 {
            let book =
                book::ActiveModel { id: Set(number), title: Set(format!("{number}")), ..Default::default() };
            book.insert(&kept).await.unwrap();
        }
        kept.commit().await.unwrap();
        let dropped = served.db.begin().await.unwrap();
        book::Entity::delete_many().exec(&dropped).await.unwrap();
        dropped.rollback().await.unwrap();
        served.db.execute_unprepared("UPDATE book SET sold = 1 WHERE id <= 2").await.unwrap();
    });
    let mut states = std::collections::BTreeMap::new();
    // A row may be published as it is after the update already; then the update itself says nothing new.
    while states.len() < 50 || states[&1] == json!(false) || states[&2] == json!(false) {
        let mut event = next(&mut stream);
        let id = event["id"].as_i64().expect("no deletion was committed");
        states.insert(id, event["sold"].take());
    }
    let sold = states.values().filter(|sold| **sold == json!(true)).count();
    assert_eq!(sold, 2);
}

#[test]
fn a_resource_that_is_not_live_announces_no_hub_and_publishes_nothing() {
    let served = Served::start();
    let mut stream = served.subscribe("match=*");
    let created = served.send("POST", "/tags", LD, "{\"name\":\"a/b\",\"color\":\"red\"}");
    assert_eq!(created.head.header("location"), Some("/tags/a%2Fb"));
    assert_eq!(created.head.all("link").count(), 1);
    assert_eq!(served.document("/tags/a%2Fb")["color"], "red");
    let updated = tag::ActiveModel { name: Set("a/b".to_owned()), color: Set("blue".to_owned()) };
    served.runtime.block_on(updated.update(&served.db)).unwrap();
    let created = served.create("{\"title\":\"after\"}");
    assert_eq!(next(&mut stream), created);
}
