//! The API over HTTP.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::routing::any;
use sea_orm::DatabaseConnection;

mod body;
mod collection;
mod cors;
mod documents;
mod endpoint;
use endpoint::{Endpoint, endpoint};
mod headers;
mod item;
mod negotiate;
pub(crate) use negotiate::Format;
mod problem;
pub(crate) use problem::Problem;
mod token;

use crate::app::Hubs;
use crate::live::{Authorizer, Plan, Waiters};
use crate::resource::{ErasedResource, Info};

/// A resource, with what is published of it if it is live.
pub(crate) type Planned = (Arc<dyn ErasedResource>, Option<Arc<Plan>>);

/// What every request needs.
pub(crate) struct Api {
    pub(crate) title: String,
    /// The public URL of the API, without a final slash.
    pub(crate) base: String,
    pub(crate) db: DatabaseConnection,
    pub(crate) resources: Vec<Planned>,
    pub(crate) hubs: Arc<Hubs>,
    pub(crate) waiters: Arc<Waiters>,
    /// If the application says who its users are.
    pub(crate) authorizer: Option<Authorizer>,
    /// Where users get tokens.
    pub(crate) token_path: Option<String>,
    pub(crate) origins: Vec<String>,
    /// Called after each commit.
    pub(crate) committed: Box<dyn Fn() + Send + Sync>,
    /// The page for browsers.
    pub(crate) page: Option<&'static str>,
}

impl Api {
    pub(crate) fn infos(&self) -> Vec<&Info> {
        self.resources.iter().map(|(resource, _)| resource.info()).collect()
    }
}

/// The routes of the API, and of `extra` beside them.
pub(crate) fn router(api: Arc<Api>, extra: Router) -> Router {
    let mut router = Router::new();
    for (path, handler) in documents::routes() {
        let api = Arc::clone(&api);
        router = router.route(path, any(move |request: Request| handler(api, request)));
    }
    for (resource, plan) in &api.resources {
        let info = resource.info();
        let (list, one) = (endpoint(&api, resource, plan), endpoint(&api, resource, plan));
        router = router
            .route(info.path, any(move |request: Request| collection::handle(list, request)))
            .route(&format!("{}/{{id}}", info.path), any(move |request: Request| item::handle(one, request)));
    }
    if let Some(path) = &api.token_path {
        let api = Arc::clone(&api);
        router = router.route(path, any(move |request: Request| token::handle(api, request)));
    }
    let finish = middleware::from_fn(move |request: Request, next: Next| {
        let api = Arc::clone(&api);
        async move { headers::finish(&api, request, next).await }
    });
    router.merge(extra).fallback(nothing_here).layer(finish)
}

async fn nothing_here(request: Request) -> Problem {
    Problem::not_found(format!("There is nothing at {}.", request.uri().path()))
}
