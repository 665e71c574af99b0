//! What operators ask for, on an address of its own: never where clients come.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use petasos_changes::{Outbox, Status};

/// `/metrics`, in the text format of Prometheus.
pub(crate) fn router(outbox: Arc<Outbox>) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(outbox)
}

async fn metrics(State(outbox): State<Arc<Outbox>>) -> Response {
    match outbox.status().await {
        Ok(status) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text(&status)).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

fn text(status: &Status) -> String {
    [
        ("petasos_outbox_depth", "Changes that wait to be published.", status.waiting.to_string()),
        (
            "petasos_outbox_age_seconds",
            "How long the oldest of them has waited.",
            status.age.as_secs_f64().to_string(),
        ),
        (
            "petasos_outbox_set_aside",
            "Changes that cannot be published until somebody mends them.",
            status.set_aside.to_string(),
        ),
    ]
    .map(|(name, help, value)| format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n"))
    .concat()
}
