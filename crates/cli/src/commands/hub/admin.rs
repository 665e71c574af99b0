//! What operators ask: whether the hub is well, and what it has counted.

use std::io;
use std::net::SocketAddr;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use petasos_hub::{Hub, server};
use tokio::net::TcpListener;

use super::process;
use super::signals::Stopping;
use crate::config::Config;

/// The address for operators, if there is one.
pub(super) fn address(config: &Config) -> anyhow::Result<Option<SocketAddr>> {
    match config.text(NAME) {
        Some("off") => Ok(None),
        _ => super::address(config, NAME).map(Some),
    }
}

/// Listens for operators. On a machine to try things on, a taken address that nobody asked for is no reason to fail.
pub(super) fn listen(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = address(config)? else { return Ok(None) };
    match server::listen(address) {
        Ok(listener) => Ok(Some(listener)),
        Err(error)
            if error.kind() == io::ErrorKind::AddrInUse && config.is_on("dev") && config.is_default(NAME) =>
        {
            Ok(Some(server::listen(SocketAddr::new(address.ip(), 0))?))
        }
        Err(error) => Err(super::taken(config, NAME, address, &error)),
    }
}

/// Serves for ever, also while the hub stops; never resolves if there is no address for operators.
pub(super) async fn serve(listener: Option<TcpListener>, hub: Hub, stopping: Stopping) -> anyhow::Result<()> {
    let Some(listener) = listener else { return std::future::pending().await };
    let router = Router::new()
        .route("/healthz/live", get(async || "alive\n"))
        .route("/healthz/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state((hub, stopping));
    axum::serve(listener, router).await.context("cannot go on serving operators")
}

/// Whether a load balancer should send clients here.
async fn ready(State((hub, stopping)): State<(Hub, Stopping)>) -> impl IntoResponse {
    let health = if *stopping.borrow() { Err("the hub is stopping".to_owned()) } else { hub.health() };
    let (status, text) = match health {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    };
    (status, [(CACHE_CONTROL, "no-store")], text)
}

async fn metrics(State((hub, _)): State<(Hub, Stopping)>) -> impl IntoResponse {
    let text = format!("{}{}{}", hub.metrics(), build(), process::metrics());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

fn build() -> String {
    let (name, version) = ("petasos_build_info", env!("CARGO_PKG_VERSION"));
    format!("# HELP {name} The program.\n# TYPE {name} gauge\n{name}{{version=\"{version}\"}} 1\n")
}

const NAME: &str = "admin-listen";
