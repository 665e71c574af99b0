//! The connection pool that publisher, subscriber and discovery share the shape of.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

pub(crate) type Pool = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Connections over HTTP and HTTPS; certificates are those that the system trusts.
pub(crate) fn pool() -> Result<Pool, ConfigError> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIME));
    let builder = HttpsConnectorBuilder::new().with_native_roots();
    let builder =
        builder.map_err(|error| ConfigError(format!("the system's certificates cannot be read: {error}")))?;
    let connector = builder.https_or_http().enable_all_versions().wrap_connector(connector);
    let mut client = Client::builder(TokioExecutor::new());
    client.pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(60)).timer(TokioTimer::new());
    Ok(client.build(connector))
}

/// What is wrong with a client's configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

const CONNECT_TIME: Duration = Duration::from_secs(5);
