//! Each form of `mercure`: what is published, to whom, and what is set aside.

use petasos::client::{PublishError, Publisher, Recording, Update};
use petasos::{App, resource::Resource};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, ModelTrait, Schema};
use serde_json::{Value, json};

use crate::forms::{
    archived, choosy, computed, elsewhere, mapped, optional, owned, plain, short, targeted, unknown, visible,
    waiting,
};
use crate::support::{LD, PATCH, Served, database};

/// An application with one resource whose updates are recorded.
struct Recorded {
    served: Served,
    updates: Recording,
    archive: Recording,
}

impl Recorded {
    fn start<E: Resource>(entity: E) -> Self {
        let (publisher, updates) = Publisher::recording();
        let (second, archive) = Publisher::recording();
        let hub = "https://hub.example.com/.well-known/mercure";
        let database = database(module_path!());
        let variables: Vec<(&str, &str)> =
            database.iter().map(|url| ("DATABASE_URL", url.as_str())).collect();
        let served = Served::start_with(
            &variables,
            |app: App| app.resource::<E>().hub("default", publisher, hub).hub("archive", second, hub),
            async |db| {
                let schema = Schema::new(db.get_database_backend());
                db.execute(&schema.create_table_from_entity(entity)).await.unwrap();
            },
        );
        Self { served, updates, archive }
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.served.runtime.block_on(future)
    }

    /// Waits until so many updates were published; the last one.
    fn update(&self, count: usize) -> Update {
        let updates = self.run(async {
            tokio::time::timeout(petasos_testkit::PATIENCE, self.updates.reaches(count)).await
        });
        updates.unwrap().pop().unwrap()
    }

    fn topics(&self, update: &Update) -> Vec<String> {
        update.topics().iter().map(|topic| topic.as_str().replace(&self.served.url, "")).collect()
    }

    /// Reasons of the changes that were set aside, once there are so many.
    fn set_aside(&self, count: usize) -> Vec<String> {
        self.run(async {
            let start = std::time::Instant::now();
            loop {
                let rows = self.served.db.query_all_raw(sea_orm::Statement::from_string(
                    self.served.db.get_database_backend(),
                    "SELECT reason FROM petasos_set_aside ORDER BY seq",
                ));
                let reasons: Vec<String> =
                    rows.await.unwrap().iter().map(|row| row.try_get("", "reason").unwrap()).collect();
                if reasons.len() >= count {
                    return reasons;
                }
                assert!(start.elapsed() < petasos_testkit::PATIENCE, "{reasons:?}");
                tokio::task::yield_now().await;
            }
        })
    }
}

fn data(update: &Update) -> Value {
    serde_json::from_str(update.data()).unwrap()
}

#[test]
fn without_options_every_change_goes_to_everyone() {
    let app = Recorded::start(plain::Entity);
    let row = app.run(plain::row(1, "ann").insert(&app.served.db)).unwrap();
    let update = app.update(1);
    assert_eq!((app.topics(&update), update.is_private()), (vec!["/plains/1".to_owned()], false));
    assert_eq!(data(&update)["title"], "title 1");
    assert_eq!(data(&update).get("isHidden"), None);
    app.run(row.delete(&app.served.db)).unwrap();
    assert_eq!(data(&app.update(2)), json!({"@id": "/plains/1"}));
}

#[test]
fn targets_may_be_fixed_and_computed() {
    let app = Recorded::start(targeted::Entity);
    app.run(targeted::row(1, "ann").insert(&app.served.db)).unwrap();
    let update = app.update(1);
    assert!(update.is_private());
    assert_eq!(app.topics(&update), ["/targeteds/1", "a-group", "ann", "staff"]);
}

#[test]
fn an_expression_may_give_targets_and_deletions_ask_the_old_row() {
    let app = Recorded::start(owned::Entity);
    app.run(owned::row(1, "ann").insert(&app.served.db)).unwrap();
    assert_eq!(app.topics(&app.update(1)), ["/owneds/1", "ann"]);
    // The new owner is told, and the old one, who may not know the new state, is not.
    app.run(owned::row(1, "bob").update(&app.served.db)).unwrap();
    assert_eq!(app.topics(&app.update(2)), ["/owneds/1", "bob"]);
    app.run(owned::Entity::delete_by_id(1).exec(&app.served.db)).unwrap();
    let deletion = app.update(3);
    assert_eq!(
        (app.topics(&deletion), deletion.is_private()),
        (vec!["/owneds/1".to_owned(), "bob".to_owned()], true)
    );
    assert_eq!(data(&deletion), json!({"@id": "/owneds/1"}));
}

#[test]
fn an_expression_may_say_yes_or_no_and_sees_what_documents_do_not_show() {
    let app = Recorded::start(visible::Entity);
    let hidden = visible::ActiveModel { is_hidden: Set(true), ..visible::row(1, "ann") };
    app.run(hidden.insert(&app.served.db)).unwrap();
    app.run(visible::row(2, "ann").insert(&app.served.db)).unwrap();
    assert_eq!(data(&app.update(1))["@id"], "/visibles/2");
    app.run(visible::Entity::delete_by_id(1).exec(&app.served.db)).unwrap();
    app.run(visible::Entity::delete_by_id(2).exec(&app.served.db)).unwrap();
    assert_eq!(data(&app.update(2)), json!({"@id": "/visibles/2"}));
    let topics: Vec<_> = app.updates.updates().iter().flat_map(|update| app.topics(update)).collect();
    assert_eq!(topics, ["/visibles/2", "/visibles/2"]);
}

#[test]
fn an_expression_may_give_a_map_of_options() {
    let app = Recorded::start(mapped::Entity);
    app.run(mapped::row(7, "ann").insert(&app.served.db)).unwrap();
    let update = app.update(1);
    assert_eq!(
        (app.topics(&update), data(&update)),
        (vec!["/mappeds/7".to_owned(), "ann".to_owned()], json!({"n": 7}))
    );
    assert_eq!((update.event_type().unwrap().as_str(), update.retry()), ("order", Some(7000)));
}

#[test]
fn each_option_may_be_given_on_its_own() {
    let app = Recorded::start(optional::Entity);
    app.run(async {
        optional::row(1, "a/b").insert(&app.served.db).await.unwrap();
        optional::Entity::delete_by_id(1).exec(&app.served.db).await.unwrap();
        optional::row(2, "a/b").insert(&app.served.db).await.unwrap();
    });
    let update = loop {
        // The first row may be gone before anyone has looked at it.
        let update = app.update(1.max(app.updates.updates().len()));
        if update.data() == "just title 2" {
            break update;
        }
    };
    assert!(update.is_private());
    assert_eq!(app.topics(&update), ["/optionals/2", "/users/a%2Fb"]);
    assert_eq!((update.id().unwrap().as_str(), update.retry()), ("urn:x:2", Some(250)));
    assert_eq!(update.event_type().unwrap().as_str(), "news");
    assert!(
        app.updates.updates().iter().all(|update| update.data().starts_with("just")),
        "deletions are not published"
    );
}

#[test]
fn a_view_serialises_in_another_way() {
    let app = Recorded::start(short::Entity);
    app.run(short::row(1, "ann").insert(&app.served.db)).unwrap();
    let expected =
        json!({"@context": "/contexts/Short", "@id": "/shorts/1", "@type": "Short", "headline": "TITLE 1"});
    assert_eq!(data(&app.update(1)), expected);
    let app = Recorded::start(choosy::Entity);
    let hidden = choosy::ActiveModel { is_hidden: Set(true), ..choosy::row(1, "ann") };
    app.run(hidden.insert(&app.served.db)).unwrap();
    assert_eq!(data(&app.update(1))["headline"], "TITLE 1");
    app.run(choosy::row(2, "ann").insert(&app.served.db)).unwrap();
    let reasons = app.set_aside(1);
    assert_eq!(reasons, ["Choosy {\"id\":2}: there is no view \"Long\"; there are Short"]);
}

#[test]
fn a_function_may_say_everything() {
    let app = Recorded::start(computed::Entity);
    app.run(computed::row(1, "ann").insert(&app.served.db)).unwrap();
    assert!(!app.update(1).is_private());
    app.run(computed::Entity::delete_by_id(1).exec(&app.served.db)).unwrap();
    let deletion = app.update(2);
    assert_eq!(
        (app.topics(&deletion), deletion.is_private()),
        (vec!["/computeds/1".to_owned(), "ann".to_owned()], true)
    );
}

#[test]
fn an_update_may_go_to_several_hubs_and_the_row_may_choose() {
    let app = Recorded::start(archived::Entity);
    app.run(archived::row(1, "ann").insert(&app.served.db)).unwrap();
    let copy = app.run(app.archive.reaches(1));
    assert_eq!(copy, [app.update(1)]);
    let response = app.served.get("/archiveds/1");
    assert_eq!(response.head.all("link").filter(|link| link.contains("rel=\"mercure\"")).count(), 2);

    let app = Recorded::start(elsewhere::Entity);
    app.run(elsewhere::row(1, "archive").insert(&app.served.db)).unwrap();
    app.run(app.archive.reaches(1));
    app.run(elsewhere::row(2, "nowhere").insert(&app.served.db)).unwrap();
    let reason = app.set_aside(1).remove(0);
    assert!(reason.starts_with("there is no hub \"nowhere\"; there are "), "{reason}");
    assert!(app.updates.updates().is_empty());
}

#[test]
fn a_request_may_wait_for_the_hub() {
    let app = Recorded::start(waiting::Entity);
    let created = app.served.send("POST", "/waitings", LD, "{\"id\":1,\"title\":\"x\"}");
    assert_eq!((created.head.status, created.head.header("petasos-published")), (201, Some("acknowledged")));
    assert_eq!(app.updates.updates().len(), 1, "it was published before the answer");
    let patched = app.served.send("PATCH", "/waitings/1", PATCH, "{\"title\":\"y\"}");
    assert_eq!(patched.head.header("petasos-published"), Some("acknowledged"));
    assert_eq!(data(&app.updates.updates()[1])["title"], "y");
    app.updates.fail_with(Some(PublishError::Answer("no".to_owned())));
    let refused = app.served.send("PATCH", "/waitings/1", PATCH, "{\"title\":\"z\"}");
    assert_eq!((refused.head.status, refused.head.header("petasos-published")), (200, Some("set-aside")));
    app.updates.fail_with(None);
    let deleted = app.served.send("DELETE", "/waitings/1", PATCH, "");
    assert_eq!((deleted.head.status, deleted.head.header("petasos-published")), (204, Some("acknowledged")));
    assert_eq!(data(&app.updates.updates()[2]), json!({"@id": "/waitings/1"}));
}

#[test]
fn a_type_error_sets_only_its_row_aside() {
    let app = Recorded::start(owned::Entity);
    app.run(async {
        let broken = owned::ActiveModel { all_owners: Set(None), ..owned::row(1, "ann") };
        broken.insert(&app.served.db).await.unwrap();
        owned::row(2, "ann").insert(&app.served.db).await.unwrap();
    });
    assert_eq!(app.topics(&app.update(1)), ["/owneds/2", "ann"]);
    let reason = app.set_aside(1).remove(0);
    assert!(
        reason.starts_with(
            "Owned {\"id\":1}: the expression \"object.allOwners.filter(owner, owner != 'staff')\": "
        ),
        "{reason}"
    );
}

#[test]
fn a_result_with_an_unknown_option_names_it_and_those_there_are() {
    let app = Recorded::start(unknown::Entity);
    app.run(unknown::row(1, "ann").insert(&app.served.db)).unwrap();
    app.run(unknown::row(2, "targets").insert(&app.served.db)).unwrap();
    assert_eq!(app.topics(&app.update(1)), ["/unknowns/2", "staff"]);
    assert_eq!(
        app.set_aside(1),
        [
            "Unknown {\"id\":1}: the expression \"{object.owner: 'staff'}\": there is no option `ann`; there are targets, \
             private, topics, data, id, type, retry, view, hub, on, async"
        ]
    );
}

mod misspelt {
    //! Expressions that parse and cannot work.
    resource!(name, "name", mercure = "objects.owner");
    resource!(field, "field", mercure(topics = ["@=object.the_owner"]));
    resource!(hub, "hub", mercure(hub = "backup"));
    resource!(contrary, "contrary", mercure(private = false, targets = ["a"]));
}

#[test]
fn what_cannot_work_stops_the_start() {
    fn refusal<E: Resource>() -> String {
        let variables = [("DATABASE_URL", "sqlite::memory:"), ("MERCURE_TRANSPORT_URL", "memory:")];
        let lookup = |name: &str| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        };
        let app = App::from_lookup(lookup).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let started = runtime.block_on(app.resource::<E>().into_router("http://127.0.0.1:1"));
        started.map(drop).unwrap_err().to_string()
    }
    assert_eq!(
        refusal::<misspelt::name::Entity>(),
        "the resource Name cannot be live: `mercure = \"objects.owner\"` cannot be used: `objects` is unknown; the row is called `object`"
    );
    let said = refusal::<misspelt::field::Entity>();
    assert!(
        said.contains("`object` has no `the_owner`; it has id, title, owner, allOwners, dueOn, isHidden"),
        "{said}"
    );
    let said = refusal::<misspelt::hub::Entity>();
    assert!(
        said.contains("there is no hub \"backup\"; there are default (MERCURE_HUBS names more)"),
        "{said}"
    );
    let said = refusal::<misspelt::contrary::Entity>();
    assert!(said.contains("`private` is false, but there are `targets`"), "{said}");
}
