//! What stands beside the hub.

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;

/// Answers everything that is none of the hub's own paths.
pub(super) fn router() -> Router {
    Router::new().fallback(nothing)
}

async fn nothing() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "There is only a Mercure hub here, at /.well-known/mercure.\n")
}
