//! Applications: resources, put together and served.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use petasos_changes::Outbox;
use petasos_protocol::{HubUrl, link};
use sea_orm::DatabaseConnection;
use tokio::sync::watch;
use tokio::task::JoinHandle;

mod config;
use config::Config;
mod database;
mod hub;
use hub::HubLink;
mod server;
pub use server::Server;

use crate::error::Result;
use crate::http::{self, Api};
use crate::live::Relay;
use crate::resource::{ErasedResource, Resource, Typed};

/// An API of live resources.
#[must_use]
pub struct App {
    name: String,
    config: Config,
    resources: Vec<Arc<dyn ErasedResource>>,
    routes: Router,
    page: Option<&'static str>,
    db: Option<DatabaseConnection>,
}

impl App {
    /// An application without resources, configured by the environment: `DATABASE_URL`, `PETASOS_LISTEN`,
    /// `PETASOS_PUBLIC_URL`, `PETASOS_CORS_ORIGINS`, `MERCURE_PUBLISH_URL`, `MERCURE_SUBSCRIBE_URL`, `MERCURE_JWT_SECRET`.
    ///
    /// # Errors
    /// [`crate::Error::Variable`] if a variable has a value that cannot be used.
    pub fn from_env() -> Result<Self> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// As [`App::from_env`], with the variables from somewhere else.
    ///
    /// # Errors
    /// As [`App::from_env`].
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let config = Config::read(&lookup)?;
        let (resources, routes) = (Vec::new(), Router::new());
        Ok(Self { name: "petasos".to_owned(), config, resources, routes, page: None, db: None })
    }

    /// Names the application: its documentation has it as title, and its database file is called so unless
    /// `DATABASE_URL` says otherwise.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Exposes an entity.
    pub fn resource<E: Resource>(mut self) -> Self {
        self.resources.push(Arc::new(Typed::<E>::new()));
        self
    }

    /// Shows browsers a page at `/`; everything else still gets the entrypoint there.
    pub fn page(mut self, html: &'static str) -> Self {
        self.page = Some(html);
        self
    }

    /// Adds routes beside those of the resources.
    pub fn routes(mut self, routes: Router) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// Uses a connection that is already open instead of `DATABASE_URL`.
    pub fn database(mut self, db: DatabaseConnection) -> Self {
        self.db = Some(db);
        self
    }

    /// Opens the database, once: for creating tables before the application starts.
    ///
    /// # Errors
    /// [`crate::Error::Database`] if it cannot be opened.
    pub async fn connect(&mut self) -> Result<DatabaseConnection> {
        if let Some(db) = &self.db {
            return Ok(db.clone());
        }
        let db = database::connect(self.config.database_url.as_deref(), &self.name).await?;
        self.db = Some(db.clone());
        Ok(db)
    }

    /// Starts the application on the address that it is configured for, and serves it until Ctrl-C or SIGTERM.
    ///
    /// # Errors
    /// [`crate::Error`] if something that it needs cannot be had.
    pub async fn serve(self) -> Result<()> {
        self.bind().await?.run().await
    }

    /// Starts the application on the address that it is configured for, without serving it yet.
    ///
    /// # Errors
    /// [`crate::Error`] if something that it needs cannot be had.
    pub async fn bind(mut self) -> Result<Server> {
        let listener = server::listen(self.config.listen)?;
        let address =
            listener.local_addr().map_err(|error| crate::Error::listen(self.config.listen, &error))?;
        let base = self.config.public_url.take().unwrap_or_else(|| format!("http://{address}"));
        let started = self.start(base).await?;
        Ok(Server::new(listener, started))
    }

    /// Starts the application for a server of one's own. `base` is the public URL of the root of its origin.
    ///
    /// # Errors
    /// [`crate::Error`] if something that it needs cannot be had.
    pub async fn into_router(self, base: &str) -> Result<Router> {
        let started = self.start(base.trim_end_matches('/').to_owned()).await?;
        Ok(started.into_router())
    }

    async fn start(mut self, base: String) -> Result<Started> {
        let db = self.connect().await?;
        let live: Vec<_> = self.resources.iter().filter(|resource| resource.info().live).cloned().collect();
        let tables: Vec<_> = live.iter().map(|resource| resource.table()).collect();
        let hub = HubLink::start(self.config.live, &base, &self.config.origins)?;
        let outbox = Outbox::install(&db, &tables).await?;
        let waker = outbox.waker();
        let (stop, stopped) = watch::channel(false);
        let relay = Relay {
            outbox,
            db: db.clone(),
            base: base.clone(),
            resources: live
                .into_iter()
                .map(|resource| (resource.table().name, resource))
                .collect::<HashMap<_, _>>(),
            publisher: hub.publisher(),
            pause: Duration::from_millis(100),
        };
        let relay = tokio::spawn(relay.run(stopped));
        let api = Api {
            title: self.name,
            base: base.clone(),
            db,
            resources: self.resources,
            hub_link: Some(link::hub(hub.url().as_str(), None)),
            origins: self.config.origins,
            committed: Box::new(move || waker.wake()),
            page: self.page,
        };
        let router = http::router(Arc::new(api), self.routes);
        Ok(Started { base, router, hub, relay, stop })
    }
}

/// An application that works but is not served yet.
pub(crate) struct Started {
    base: String,
    router: Router,
    hub: HubLink,
    relay: JoinHandle<()>,
    /// Tells the relay to end; it also ends when this is dropped.
    stop: watch::Sender<bool>,
}

impl Started {
    fn hub_url(&self) -> &HubUrl {
        self.hub.url()
    }

    /// The relay then lives as long as the router.
    fn into_router(self) -> Router {
        let keep = Arc::new(self.stop);
        let router = self.router.layer(axum::Extension(KeepRelay(keep)));
        match self.hub.routes() {
            Some(routes) => router.merge(routes),
            None => router,
        }
    }
}

#[derive(Clone)]
struct KeepRelay(#[expect(dead_code, reason = "held, not read")] Arc<watch::Sender<bool>>);
