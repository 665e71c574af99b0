//! Applications: resources, put together and served.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use petasos_changes::Outbox;
use petasos_client::Publisher;
use petasos_protocol::HubUrl;
use sea_orm::DatabaseConnection;
use tokio::sync::watch;
use tokio::task::JoinHandle;

mod admin;
mod config;
use config::Config;
mod database;
mod hub;
use hub::OwnHub;
use hub::Place;
pub(crate) use hub::{HubLink, Hubs};
mod server;
pub use server::{Server, interrupted};

use crate::error::Result;
use crate::http::{self, Api};
use crate::live::{
    Authorizer, CurrentUser, DEFAULT_HUB, LiveResource, Plan, Relay, Renderer, Scope, User, UserSettings,
    Waiters,
};
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
    hubs: Vec<OwnHub>,
    current_user: Option<CurrentUser>,
    token_path: Option<String>,
    token_lifetime: Duration,
    /// Somebody else creates the outbox and its triggers.
    migrated: bool,
    creates_tables: bool,
}

impl App {
    /// An application without resources, configured by the environment: `DATABASE_URL`, `PETASOS_LISTEN`, `PETASOS_ADMIN_LISTEN`,
    /// `PETASOS_PUBLIC_URL`, `PETASOS_CORS_ORIGINS`, `MERCURE_PUBLISH_URL`, `MERCURE_SUBSCRIBE_URL`, `MERCURE_JWT_SECRET`,
    /// `MERCURE_PROTOCOL`, `MERCURE_TRANSPORT_URL`, `MERCURE_HUBS`, `PETASOS_COOKIE_NAME`.
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
        Ok(Self {
            name: "petasos".to_owned(),
            config,
            resources,
            routes,
            page: None,
            db: None,
            hubs: Vec::new(),
            current_user: None,
            token_path: None,
            token_lifetime: TOKEN_LIFETIME,
            migrated: false,
            creates_tables: false,
        })
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

    /// Adds a hub that options may name, or replaces the one called `default`; clients are told `subscribe_url`.
    ///
    /// A recording publisher ([`Publisher::recording`]) in its place shows a test what would be published.
    pub fn hub(
        mut self,
        name: impl Into<String>,
        publisher: Publisher,
        subscribe_url: impl Into<String>,
    ) -> Self {
        let (name, subscribe_url) = (name.into(), subscribe_url.into());
        self.hubs.push(OwnHub { name, client: publisher, subscribe_url });
        self
    }

    /// Says who sent a request, from what one's own layers have put into its extensions ([`Server::wrap`]), and what they may
    /// receive beside what is public. Every response about a live resource then sets the cookie that opens the hub to them,
    /// with exactly these grants, or takes it away where nobody is signed in.
    ///
    /// ```no_run
    /// # #[derive(Clone)] struct Session { name: String }
    /// use petasos::{App, live::User};
    ///
    /// # fn main() -> petasos::Result<()> {
    /// let app = App::from_env()?.current_user(|extensions| {
    ///     let session = extensions.get::<Session>()?;
    ///     Some(User::new(&session.name).targets([format!("/users/{}", session.name)]))
    /// });
    /// # drop(app);
    /// # Ok(())
    /// # }
    /// ```
    pub fn current_user(
        mut self,
        current_user: impl Fn(&::http::Extensions) -> Option<User> + Send + Sync + 'static,
    ) -> Self {
        self.current_user = Some(Arc::new(current_user));
        self
    }

    /// Hands out tokens at a path, usually `/.well-known/mercure-token`, to the users that [`App::current_user`] names: for
    /// clients that send headers, and for hubs that no cookie of this API can reach. Off by default.
    pub fn token_endpoint(mut self, path: impl Into<String>) -> Self {
        self.token_path = Some(path.into());
        self
    }

    /// How long tokens of users live: what a user may no longer receive they may receive for so long. 15 minutes by default.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
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

    /// Creates the tables of the resources that the database does not have yet, in the order of the resources. For first
    /// programs and for tests: tables that are there stay as they are, whatever the entities say meanwhile, which is what
    /// migration tools are for.
    pub fn create_tables(mut self) -> Self {
        self.creates_tables = true;
        self
    }

    /// The SQL that is missing in the database, for a migration tool: statements that create the outbox and the triggers of
    /// the live resources, and drop those that are not needed any more. Nothing if everything is in place.
    ///
    /// # Errors
    /// [`crate::Error`] if the database cannot be opened, or a table cannot be watched.
    pub async fn migration(&mut self) -> Result<Vec<String>> {
        let db = self.connect().await?;
        Ok(Outbox::plan(&db, &self.watched()).await?)
    }

    /// Changes nothing in the database at the start, and refuses to start if [`App::migration`] has anything to say.
    pub fn migrated(mut self) -> Self {
        self.migrated = true;
        self
    }

    fn watched(&self) -> Vec<petasos_changes::Table> {
        self.resources.iter().filter(|resource| resource.info().live).map(|live| live.table()).collect()
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
        let admin = self.config.admin.map(server::listen_for_operators).transpose()?;
        let started = self.start(base).await?;
        Ok(Server::new(listener, admin, started))
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
        if self.creates_tables {
            create_tables(&db, &self.resources).await?;
        }
        let tables = self.watched();
        let place = Place {
            app: &self.name,
            base: &base,
            origins: &self.config.origins,
            cookie_name: self.config.cookie_name.as_deref(),
        };
        let hubs = Hubs::start(self.config.live, self.hubs, &place)?;
        let hubs = Arc::new(hubs);
        let scope = Scope::new(&base);
        let plans = self
            .resources
            .iter()
            .map(|resource| plan(&**resource, &scope, &hubs))
            .collect::<Result<Vec<_>>>()?;
        let settings = self.current_user.map(|current_user| UserSettings {
            current_user,
            lifetime: self.token_lifetime,
            cookie_name: self.config.cookie_name,
            has_endpoint: self.token_path.is_some(),
        });
        let authorizer = settings.map(|settings| authorizer(settings, &plans, &hubs, &base)).transpose()?;
        let live: HashMap<String, LiveResource> = self
            .resources
            .iter()
            .zip(&plans)
            .filter_map(|(resource, plan)| Some((resource, plan.clone()?)))
            .map(|(resource, plan)| {
                (resource.table().id(), LiveResource { resource: Arc::clone(resource), plan })
            })
            .collect();
        let outbox = if self.migrated {
            Outbox::check(&db, &tables).await
        } else {
            Outbox::install(&db, &tables).await
        };
        let outbox = Arc::new(outbox?);
        let waker = outbox.waker();
        let (stop, stopped) = watch::channel(false);
        let waiters = Arc::new(Waiters::default());
        let relay = Relay {
            outbox: Arc::clone(&outbox),
            renderer: Renderer { db: db.clone(), base: base.clone(), scope },
            resources: live,
            publishers: hubs.publishers(),
            waiters: Arc::clone(&waiters),
            pause: Duration::from_millis(100),
        };
        let relay = tokio::spawn(relay.run(stopped));
        let api = Api {
            title: self.name,
            base: base.clone(),
            db,
            resources: self.resources.into_iter().zip(plans).collect(),
            hubs: Arc::clone(&hubs),
            waiters,
            authorizer,
            token_path: self.token_path,
            origins: self.config.origins,
            committed: Box::new(move || waker.wake()),
            page: self.page,
        };
        let router = http::router(Arc::new(api), self.routes);
        Ok(Started { outbox, base, router, hubs, relay, stop })
    }
}

async fn create_tables(db: &DatabaseConnection, resources: &[Arc<dyn ErasedResource>]) -> Result<()> {
    for resource in resources {
        resource.create_table(db).await.map_err(|error| crate::Error::Table {
            resource: resource.info().name,
            reason: error.to_string(),
        })?;
    }
    Ok(())
}

/// What opens those hubs that private updates go to.
fn authorizer(
    settings: UserSettings,
    plans: &[Option<Arc<Plan>>],
    hubs: &Hubs,
    base: &str,
) -> Result<Authorizer> {
    let private = plans.iter().flatten().filter(|plan| !plan.is_public);
    let names: Option<Vec<&[String]>> = private.map(|plan| plan.hubs.as_deref()).collect();
    let mut names: Option<Vec<String>> = names.map(|names| names.concat());
    if let Some(names) = &mut names {
        names.sort();
        names.dedup();
        // Programs that publish by themselves do so to this one.
        if names.is_empty() {
            names.push(DEFAULT_HUB.to_owned());
        }
    }
    let keys = hubs.keys(names.as_deref())?;
    Authorizer::new(settings, keys, base).map_err(crate::Error::Hub)
}

/// Compiles what the attribute of a resource says; nothing if it is not live.
fn plan(resource: &dyn ErasedResource, scope: &Scope, hubs: &Hubs) -> Result<Option<Arc<Plan>>> {
    let info = resource.info();
    let Some((setup, with_function)) = resource.setup() else { return Ok(None) };
    let fields: Vec<&str> = info.fields.iter().map(|field| field.name).collect();
    let refused = |problem| crate::Error::Live { resource: info.name, problem };
    let plan = Plan::compile(setup, with_function, &fields, scope).map_err(refused)?;
    let names = hubs.names();
    match plan.hubs.iter().flatten().find(|name| !names.contains(&name.as_str())) {
        Some(unknown) => Err(refused(format!(
            "there is no hub {unknown:?}; there are {} (MERCURE_HUBS names more)",
            names.join(", ")
        ))),
        None => Ok(Some(Arc::new(plan))),
    }
}

const TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// An application that works but is not served yet.
pub(crate) struct Started {
    outbox: Arc<Outbox>,
    base: String,
    router: Router,
    hubs: Arc<Hubs>,
    relay: JoinHandle<()>,
    /// Tells the relay to end; it also ends when this is dropped.
    stop: watch::Sender<bool>,
}

impl Started {
    fn hub_url(&self) -> &HubUrl {
        self.hubs.default_hub().url()
    }

    /// The relay then lives as long as the router.
    fn into_router(self) -> Router {
        let keep = Arc::new(self.stop);
        let router = self.router.layer(axum::Extension(KeepRelay(keep)));
        match self.hubs.default_hub().routes() {
            Some(routes) => router.merge(routes),
            None => router,
        }
    }
}

#[derive(Clone)]
struct KeepRelay(#[expect(dead_code, reason = "held, not read")] Arc<watch::Sender<bool>>);
