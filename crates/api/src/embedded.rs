//! The hub inside the program: the only file that knows the hub crate.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use futures_util::future::BoxFuture;
use petasos_client::token::Secret;
use petasos_hub::transport::TransportUrl;
use petasos_hub::transport::file::FileConfig;
use petasos_hub::{Hub, HubBuilder, Key, PublishError, server};
use petasos_protocol::compat::Generation;
use petasos_protocol::{HubUrl, Update};
use tokio::net::TcpListener;

use crate::error::{Error, Result};
use crate::live::{PublishFailure, Publisher, TRANSPORT};

/// A hub that this program runs itself. Clones are the same hub.
#[derive(Clone, Debug)]
pub(crate) struct EmbeddedHub {
    hub: Hub,
    /// What it trusts.
    secret: Secret,
}

impl EmbeddedHub {
    /// Starts a hub that is known as `url`. Anyone may subscribe to its public updates; pages of `origins` may do so from
    /// elsewhere. With a secret, other programs that know it may publish too; without one only this program can.
    /// `transport` says where updates are kept.
    ///
    /// # Errors
    /// [`Error`] if the secret or the transport cannot be used, or if the hub's threads cannot start.
    pub(crate) fn start(
        url: &HubUrl,
        secret: Option<&str>,
        transport: &str,
        origins: Vec<String>,
        cookie_name: &str,
    ) -> Result<Self> {
        let secret = secret.map_or_else(petasos_hub::random_secret, str::to_owned);
        let key = Key::hs256(secret.as_bytes()).map_err(|error| Error::Hub(error.to_string()))?;
        let hub = with_history(transport)?
            .public_url(url.clone())
            .publisher_key(key.clone())
            .subscriber_key(key)
            .anonymous(true)
            .cookie_name(cookie_name)
            .cors_origins(origins.iter().cloned())
            .publish_origins(origins)
            .build()
            .map_err(|error| Error::Hub(error.to_string()))?;
        let secret = Secret::new(secret.as_bytes()).map_err(|error| Error::Hub(error.to_string()))?;
        Ok(Self { hub, secret })
    }

    /// What tokens are signed with that it takes.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Serves the hub at its path and `router` everywhere else, until `shutdown` resolves.
    ///
    /// # Errors
    /// If the listener breaks.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        router: axum::Router,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        server::serve(listener, self.hub, router, shutdown).await
    }

    /// The hub as routes of a router that someone else serves.
    pub(crate) fn router(&self) -> axum::Router {
        let hub = self.hub.clone();
        let handler = move |request: axum::extract::Request| {
            let hub = hub.clone();
            async move { hub.handle(request).await.map(axum::body::Body::new) }
        };
        let metadata = petasos_protocol::metadata::path(self.hub.url());
        axum::Router::new()
            .route(self.hub.url().path(), axum::routing::any(handler.clone()))
            .route(&metadata, axum::routing::any(handler))
    }
}

/// A hub that keeps its updates there.
fn with_history(transport: &str) -> Result<HubBuilder> {
    let unusable = |problem: String| Error::variable(TRANSPORT, problem, "file:./petasos-data");
    match transport.parse() {
        Ok(TransportUrl::Memory) => Ok(Hub::builder()),
        Ok(TransportUrl::File(directory)) => {
            let history = FileConfig::new(directory).open().map_err(|error| unusable(error.to_string()))?;
            Ok(Hub::builder().transport(history))
        }
        Ok(_) => Err(unusable(format!("this version does not know {transport:?}"))),
        Err(error) => Err(unusable(format!("{transport:?}: {error}"))),
    }
}

/// Listens with a backlog that takes many clients at once.
///
/// # Errors
/// If the address cannot be had.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    server::listen(address)
}

impl Publisher for EmbeddedHub {
    fn publish<'a>(
        &'a self,
        update: &'a Update,
        idempotency_key: &'a str,
    ) -> BoxFuture<'a, std::result::Result<(), PublishFailure>> {
        Box::pin(async move {
            match self
                .hub
                .publish(update.clone().for_hub_of(Generation::Current), Some(idempotency_key))
                .await
            {
                Ok(_) => Ok(()),
                Err(error @ (PublishError::Reserved(_) | PublishError::KeyReused)) => {
                    Err(PublishFailure::Refused(error.to_string()))
                }
                Err(error) => Err(PublishFailure::Unavailable(error.to_string())),
            }
        })
    }

    /// The whole history follows nothing, while there is none.
    fn last_event_id(&self) -> Option<String> {
        Some(self.hub.last_event_id().map_or_else(|| "earliest".to_owned(), |id| id.to_string()))
    }
}
