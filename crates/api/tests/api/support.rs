//! An application on a free port.

use petasos::App;
use petasos_testkit::http::{self, Response};
use petasos_testkit::{MariaDb, Postgres, Stream};
use sea_orm::{ConnectionTrait, DatabaseConnection, Schema};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::entities::{book, tag};

/// A served application; stops when dropped.
pub struct Served {
    pub runtime: Runtime,
    pub db: DatabaseConnection,
    pub url: String,
    /// Where operators ask, if the variables say so.
    pub metrics: Option<String>,
    _folder: TempDir,
}

/// A database of the server that the name of a module asks for; nothing for a file.
pub fn database(module: &str) -> Option<String> {
    if module.contains("on_postgres") {
        Some(Postgres::shared().database().unwrap())
    } else if module.contains("on_mariadb") {
        Some(MariaDb::shared().database().unwrap())
    } else {
        None
    }
}

pub const LD: &str = "application/ld+json";
pub const PATCH: &str = "application/merge-patch+json";

impl Served {
    pub fn start() -> Self {
        let configure = |app: App| {
            app.page("<!doctype html><p>page").resource::<book::Entity>().resource::<tag::Entity>()
        };
        Self::start_with(&[], configure, async |db| {
            let schema = Schema::new(db.get_database_backend());
            db.execute(&schema.create_table_from_entity(book::Entity)).await.unwrap();
            db.execute(&schema.create_table_from_entity(tag::Entity)).await.unwrap();
        })
    }

    /// An application of one's own; `prepare` creates its tables.
    pub fn start_with(
        variables: &[(&str, &str)],
        configure: impl FnOnce(App) -> App,
        prepare: impl AsyncFnOnce(&DatabaseConnection),
    ) -> Self {
        Self::start_wrapped(variables, configure, |router| router, prepare)
    }

    /// The same with layers around it.
    pub fn start_wrapped(
        variables: &[(&str, &str)],
        configure: impl FnOnce(App) -> App,
        wrap: impl FnOnce(axum::Router) -> axum::Router,
        prepare: impl AsyncFnOnce(&DatabaseConnection),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}?mode=rwc", folder.path().join("test.db").display());
        let own = [
            ("DATABASE_URL", database.as_str()),
            ("PETASOS_LISTEN", "127.0.0.1:0"),
            ("MERCURE_TRANSPORT_URL", "memory:"),
        ];
        let all = [variables, &own].concat();
        let lookup =
            |name: &str| all.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
        let runtime = Runtime::new().unwrap();
        let (db, url, metrics) = runtime.block_on(async {
            let mut app = configure(App::from_lookup(lookup).unwrap().name("test"));
            let db = app.connect().await.unwrap();
            prepare(&db).await;
            let server = app.bind().await.unwrap().wrap(wrap);
            let (url, metrics) = (server.url().to_owned(), server.metrics_url());
            tokio::spawn(server.run_until(std::future::pending()));
            (db, url, metrics)
        });
        Self { runtime, db, url, metrics, _folder: folder }
    }

    pub fn get(&self, path: &str) -> Response {
        http::get(&format!("{}{path}", self.url)).unwrap()
    }

    pub fn send(&self, method: &str, path: &str, content_type: &str, body: &str) -> Response {
        let headers = [("content-type", content_type)];
        http::request(method, &format!("{}{path}", self.url), &headers, body).unwrap()
    }

    /// A document, expected to be there.
    pub fn document(&self, path: &str) -> Value {
        serde_json::from_str(&http::get(&format!("{}{path}", self.url)).unwrap().body).unwrap()
    }

    pub fn create(&self, body: &str) -> Value {
        let response = self.send("POST", "/books", LD, body);
        assert_eq!(response.head.status, 201, "{response:?}");
        serde_json::from_str(&response.body).unwrap()
    }

    pub fn subscribe(&self, matchers: &str) -> Stream {
        Stream::open(&format!("{}/.well-known/mercure?{matchers}", self.url), &[]).unwrap()
    }
}
