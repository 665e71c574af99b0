//! Serves an application.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use petasos_changes::Outbox;
use tokio::net::TcpListener;

use super::Started;
use crate::error::{Error, Result};

/// An application that has its address and is ready to be served.
#[must_use]
pub struct Server {
    listener: TcpListener,
    /// For operators.
    admin: Option<TcpListener>,
    started: Started,
}

impl Server {
    pub(crate) fn new(listener: TcpListener, admin: Option<TcpListener>, started: Started) -> Self {
        Self { listener, admin, started }
    }

    /// The public URL of the API: the root of its origin, without a final slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.started.base
    }

    /// The URL of the hub, as clients are told.
    #[must_use]
    pub fn hub_url(&self) -> &str {
        self.started.hub_url().as_str()
    }

    /// Where operators find `/metrics`, if `PETASOS_ADMIN_LISTEN` says so.
    #[must_use]
    pub fn metrics_url(&self) -> Option<String> {
        let address = self.admin.as_ref()?.local_addr().ok()?;
        Some(format!("http://{address}/metrics"))
    }

    /// Changes the router: adds layers or routes around everything.
    pub fn wrap(mut self, wrap: impl FnOnce(Router) -> Router) -> Self {
        self.started.router = wrap(self.started.router);
        self
    }

    /// Serves until Ctrl-C or SIGTERM, then finishes what is under way.
    ///
    /// # Errors
    /// [`Error::Serve`] if the listener breaks.
    pub async fn run(self) -> Result<()> {
        self.run_until(interrupted()).await
    }

    /// Serves until `shutdown` resolves, then finishes what is under way.
    ///
    /// # Errors
    /// [`Error::Serve`] if the listener breaks.
    pub async fn run_until(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        tracing::info!("the API is at {}/, its hub at {}", self.url(), self.hub_url());
        let Started { router, hubs, relay, stop, outbox, .. } = self.started;
        let admin = self.admin.map(|listener| tokio::spawn(serve_operators(listener, outbox)));
        let served = serve(self.listener, hubs.default_hub(), router, shutdown).await.map_err(Error::Serve);
        if let Some(admin) = admin {
            admin.abort();
        }
        stop.send_replace(true);
        if let Err(error) = relay.await {
            tracing::error!(%error, "the relay ended by a panic");
        }
        served
    }
}

#[cfg(feature = "embedded-hub")]
async fn serve(
    listener: TcpListener,
    hub: &super::HubLink,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    match hub.embedded() {
        Some(hub) => hub.clone().serve(listener, router, shutdown).await,
        None => axum::serve(listener, router).with_graceful_shutdown(shutdown).await,
    }
}

#[cfg(not(feature = "embedded-hub"))]
async fn serve(
    listener: TcpListener,
    _: &super::HubLink,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

async fn serve_operators(listener: TcpListener, outbox: Arc<Outbox>) {
    if let Err(error) = axum::serve(listener, super::admin::router(outbox)).await {
        tracing::error!(%error, "operators are not served any more");
    }
}

/// Takes the address for operators.
pub(crate) fn listen_for_operators(address: SocketAddr) -> Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    });
    listener.map_err(|error| {
        Error::variable("PETASOS_ADMIN_LISTEN", format!("{address}: {error}"), "127.0.0.1:8001")
    })
}

/// Takes the address; a clear error if another program has it.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener> {
    #[cfg(feature = "embedded-hub")]
    let listener = crate::embedded::listen(address);
    #[cfg(not(feature = "embedded-hub"))]
    let listener = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    });
    listener.map_err(|error| Error::listen(address, &error))
}

/// Resolves on Ctrl-C and on SIGTERM. From the call on, not from the first poll, neither ends the process by itself.
#[cfg(unix)]
pub fn interrupted() -> impl Future<Output = ()> + Send + 'static {
    use tokio::signal::unix::{SignalKind, signal};
    let [ctrl_c, terminate] = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    async move {
        tokio::select! {
            () = arrival(ctrl_c) => {}
            () = arrival(terminate) => {}
        }
    }
}

#[cfg(unix)]
async fn arrival(signal: std::io::Result<tokio::signal::unix::Signal>) {
    match signal {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(error) => {
            tracing::error!(%error, "a signal cannot be noticed");
            std::future::pending::<()>().await;
        }
    }
}

/// Resolves on Ctrl-C.
#[cfg(not(unix))]
pub fn interrupted() -> impl Future<Output = ()> + Send + 'static {
    async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "Ctrl-C cannot be noticed");
            std::future::pending::<()>().await;
        }
    }
}
