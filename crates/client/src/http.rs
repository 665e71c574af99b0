//! The connection pool that publisher, subscriber and discovery share the shape of.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

pub(crate) type Pool = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Connections that many subscribers share ([`crate::Subscriber::over`]): certificates are read once, and over HTTP/2 one
/// connection carries many streams.
#[derive(Clone)]
pub struct Connections(pub(crate) Pool);

impl Connections {
    /// Connections of HTTP/1.1 and HTTP/2, as the hub likes.
    ///
    /// # Errors
    /// [`ConfigError`] if the system's certificates cannot be read.
    pub fn new() -> Result<Self, ConfigError> {
        pool().map(Self)
    }

    /// Connections of HTTP/1.1 only, so that each subscriber has one of its own.
    ///
    /// # Errors
    /// As [`Connections::new`].
    pub fn separate() -> Result<Self, ConfigError> {
        make(false).map(Self)
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

/// Connections over HTTP and HTTPS; certificates are those that the system trusts.
pub(crate) fn pool() -> Result<Pool, ConfigError> {
    make(true)
}

fn make(with_http2: bool) -> Result<Pool, ConfigError> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIME));
    let builder = HttpsConnectorBuilder::new().with_native_roots();
    let builder =
        builder.map_err(|error| ConfigError(format!("the system's certificates cannot be read: {error}")))?;
    let builder = builder.https_or_http();
    let connector = if with_http2 {
        builder.enable_all_versions().wrap_connector(connector)
    } else {
        builder.enable_http1().wrap_connector(connector)
    };
    let mut client = Client::builder(TokioExecutor::new());
    client.pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(60)).timer(TokioTimer::new());
    Ok(client.build(connector))
}

/// What is wrong with a client's configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

const CONNECT_TIME: Duration = Duration::from_secs(5);
