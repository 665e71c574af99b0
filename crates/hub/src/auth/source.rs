//! Where key sets are: in a file, or at a URL.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::jwks::KeySetSource;
use crate::transport::BoxFuture;

/// A key set in a file.
#[derive(Clone, Debug)]
pub struct KeySetFile(PathBuf);

impl KeySetFile {
    /// The set in this file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl KeySetSource for KeySetFile {
    fn read(&self) -> BoxFuture<'_, Result<Vec<u8>, String>> {
        let path = self.0.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || {
                std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
            });
            read.await.map_err(|error| error.to_string())?
        })
    }
}

/// A key set at an `https` URL, or at an `http` URL of this machine.
#[derive(Clone)]
pub struct KeySetUrl {
    uri: Uri,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl KeySetUrl {
    /// The set at this URL.
    ///
    /// # Errors
    /// One line that says what is wrong with the URL, or that the system's certificates cannot be read.
    pub fn new(url: &str) -> Result<Self, String> {
        let parsed = url::Url::parse(url).map_err(|error| format!("{url:?} is not a URL: {error}"))?;
        let local = match parsed.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        // Whoever can change the keys on their way can make tokens.
        if parsed.scheme() != "https" && !(parsed.scheme() == "http" && local) {
            return Err(format!("{url:?}: keys are fetched over https, or over http from this machine"));
        }
        let uri = parsed.as_str().parse().map_err(|error| format!("{url:?} is not a URL: {error}"))?;
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(TIME));
        let builder = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| format!("the system's certificates cannot be read: {error}"))?;
        let connector = builder.https_or_http().enable_http1().wrap_connector(connector);
        Ok(Self { uri, client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    async fn fetch(&self) -> Result<Vec<u8>, String> {
        let request =
            Request::get(self.uri.clone()).header(ACCEPT, "application/jwk-set+json, application/json");
        let request = request.body(Full::default()).map_err(|error| error.to_string())?;
        let response = self.client.request(request).await.map_err(|error| error.to_string())?;
        if response.status() != StatusCode::OK {
            return Err(format!("the server answered {}", response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_SET).collect().await;
        Ok(body.map_err(|error| error.to_string())?.to_bytes().to_vec())
    }
}

impl KeySetSource for KeySetUrl {
    fn read(&self) -> BoxFuture<'_, Result<Vec<u8>, String>> {
        Box::pin(async move {
            match tokio::time::timeout(TIME, self.fetch()).await {
                Ok(read) => read,
                Err(_) => Err(format!("no answer within {} seconds", TIME.as_secs())),
            }
        })
    }
}

impl fmt::Debug for KeySetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeySetUrl").field(&self.uri).finish()
    }
}

const TIME: Duration = Duration::from_secs(10);
const MAX_SET: usize = 256 << 10;
