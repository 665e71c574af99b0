//! An API with two resources that differ in nothing but that one of them is live.

use petasos::App;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Schema};
use tokio::runtime::Runtime;

/// The API, served in this process.
pub(crate) struct Shop {
    pub(crate) runtime: Runtime,
    /// A connection that the API knows nothing of, as another program has it.
    pub(crate) other: DatabaseConnection,
    /// `127.0.0.1:port`
    pub(crate) address: String,
    pub(crate) metrics: String,
}

macro_rules! entity {
    ($module:ident, $table:literal, $($resource:tt)*) => {
        #[expect(unreachable_pub, reason = "the derives make public items")]
        pub(crate) mod $module {
            use petasos::Resource;
            use sea_orm::entity::prelude::*;
            use serde::{Deserialize, Serialize};

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize, Resource)]
            #[sea_orm(table_name = $table)]
            $($resource)*
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                pub title: String,
                pub author: Option<String>,
                pub price: Option<i32>,
            }

            #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

entity!(book, "book", #[resource(mercure)]);
entity!(quiet, "quiet",);

impl Shop {
    /// With that database, and a hub that keeps its updates there.
    pub(crate) fn open(url: &str, history: &str) -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let lookup = |name: &str| match name {
            "DATABASE_URL" => Some(url.to_owned()),
            "MERCURE_TRANSPORT_URL" => Some(history.to_owned()),
            "PETASOS_LISTEN" | "PETASOS_ADMIN_LISTEN" => Some("127.0.0.1:0".to_owned()),
            _ => None,
        };
        let (other, address, metrics) = runtime.block_on(async {
            let app = App::from_lookup(lookup)?;
            let mut app = app.resource::<book::Entity>().resource::<quiet::Entity>();
            let db = app.connect().await?;
            let schema = Schema::new(db.get_database_backend());
            db.execute(&schema.create_table_from_entity(book::Entity)).await?;
            db.execute(&schema.create_table_from_entity(quiet::Entity)).await?;
            for id in 1..=WRITERS {
                for table in ["book", "quiet"] {
                    db.execute_unprepared(&format!("INSERT INTO {table} (title) VALUES ('{id}')")).await?;
                }
            }
            let server = app.bind().await?;
            let address = server.url().trim_start_matches("http://").to_owned();
            let metrics = server.metrics_url().unwrap_or_default();
            tokio::spawn(server.run_until(std::future::pending()));
            let mut options = ConnectOptions::new(url);
            options.max_connections(1).sqlx_logging(false);
            anyhow::Ok((Database::connect(options).await?, address, metrics))
        })?;
        Ok(Self { runtime, other, address, metrics })
    }

    pub(crate) fn waiting(&self) -> anyhow::Result<u64> {
        let text = petasos_testkit::http::get(&self.metrics)?.body;
        let line = text.lines().find_map(|line| line.strip_prefix("petasos_outbox_depth "));
        Ok(line.unwrap_or("0").parse()?)
    }

    /// Waits until everything is published.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        while self.waiting()? > 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Ok(())
    }
}

pub(crate) const WRITERS: usize = 8;
