//! Serves an application.

use std::future::Future;
use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;

use super::Started;
use crate::error::{Error, Result};

/// An application that has its address and is ready to be served.
#[must_use]
pub struct Server {
    listener: TcpListener,
    started: Started,
}

impl Server {
    pub(crate) fn new(listener: TcpListener, started: Started) -> Self {
        Self { listener, started }
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
        let Started { router, hubs, relay, stop, .. } = self.started;
        let served = serve(self.listener, hubs.default_hub(), router, shutdown).await.map_err(Error::Serve);
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
