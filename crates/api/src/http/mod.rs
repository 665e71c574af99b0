//! The API over HTTP.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use sea_orm::DatabaseConnection;

mod body;
mod collection;
mod cors;
mod documents;
mod headers;
mod item;
mod negotiate;
pub(crate) use negotiate::Format;
mod problem;
pub(crate) use problem::Problem;

use crate::resource::{ErasedResource, Info};

/// What every request needs.
pub(crate) struct Api {
    pub(crate) title: String,
    /// The public URL of the API, without a final slash.
    pub(crate) base: String,
    pub(crate) db: DatabaseConnection,
    pub(crate) resources: Vec<Arc<dyn ErasedResource>>,
    /// What responses about live resources say of the hub.
    pub(crate) hub_link: Option<String>,
    pub(crate) origins: Vec<String>,
    /// Called after each commit.
    pub(crate) committed: Box<dyn Fn() + Send + Sync>,
    /// The page for browsers.
    pub(crate) page: Option<&'static str>,
}

impl Api {
    pub(crate) fn infos(&self) -> Vec<&Info> {
        self.resources.iter().map(|resource| resource.info()).collect()
    }
}

/// The routes of the API, and of `extra` beside them.
pub(crate) fn router(api: Arc<Api>, extra: Router) -> Router {
    let mut router = Router::new();
    for (path, handler) in documents::routes() {
        let api = Arc::clone(&api);
        router = router.route(path, any(move |request: Request| handler(api, request)));
    }
    for resource in &api.resources {
        let info = resource.info();
        let (list, one) = (endpoint(&api, resource), endpoint(&api, resource));
        router = router
            .route(info.path, any(move |request: Request| collection::handle(list, request)))
            .route(&format!("{}/{{id}}", info.path), any(move |request: Request| item::handle(one, request)));
    }
    let finish = middleware::from_fn(move |request: Request, next: Next| {
        let api = Arc::clone(&api);
        async move { headers::finish(&api, request, next).await }
    });
    router.merge(extra).fallback(nothing_here).layer(finish)
}

/// A resource within its API.
pub(crate) struct Endpoint {
    pub(crate) api: Arc<Api>,
    pub(crate) resource: Arc<dyn ErasedResource>,
}

fn endpoint(api: &Arc<Api>, resource: &Arc<dyn ErasedResource>) -> Arc<Endpoint> {
    Arc::new(Endpoint { api: Arc::clone(api), resource: Arc::clone(resource) })
}

impl Endpoint {
    /// Adds what every response about a live resource carries, errors included.
    pub(crate) fn answer(&self, result: Result<Response, Problem>) -> Response {
        let mut response = result.unwrap_or_else(IntoResponse::into_response);
        if self.resource.info().live {
            headers::link_hub(&self.api, response.headers_mut());
        }
        response
    }
}

async fn nothing_here(request: Request) -> Problem {
    Problem::not_found(format!("There is nothing at {}.", request.uri().path()))
}
