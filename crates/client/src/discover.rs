//! Finds the hub of a resource by its `Link` header (DIS.1).

use http::header::{ACCEPT, LINK};
use http::{Request, Uri};
use http_body_util::Full;
use petasos_protocol::link;
use url::Url;

use crate::http::{ConfigError, pool};
use crate::publisher::root_cause;

/// What a resource says about its hub.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Discovered {
    /// The URL of the hub.
    pub hub: String,
    /// The topic of the resource, if it is not its URL.
    pub self_topic: Option<String>,
    /// The newest event that the resource includes.
    pub last_event_id: Option<String>,
}

/// Asks a resource for its hub.
///
/// # Errors
/// [`DiscoverError`] if the resource cannot be had or names no hub.
pub async fn discover(url: &str) -> Result<Discovered, DiscoverError> {
    let base = Url::parse(url).map_err(|error| DiscoverError::Url(format!("{url:?}: {error}")))?;
    let uri: Uri = base.as_str().parse().map_err(|error| DiscoverError::Url(format!("{url:?}: {error}")))?;
    let request = Request::get(uri).header(ACCEPT, "application/ld+json, */*;q=0.1").body(Full::default());
    let request = request.map_err(|error| DiscoverError::Url(error.to_string()))?;
    let response =
        pool()?.request(request).await.map_err(|error| DiscoverError::Unavailable(root_cause(&error)))?;
    let headers = response.headers().get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    let links: Vec<link::Link> = headers.flat_map(link::parse).collect();
    let resolve = |target: &str| base.join(target).ok().map(String::from);
    let hub = links.iter().find(|link| link.has_rel("mercure"));
    let hub = hub.ok_or_else(|| DiscoverError::NoHub(url.to_owned()))?;
    Ok(Discovered {
        hub: resolve(&hub.target).ok_or_else(|| DiscoverError::NoHub(url.to_owned()))?,
        self_topic: links.iter().find(|link| link.has_rel("self")).and_then(|link| resolve(&link.target)),
        last_event_id: hub.param("last-event-id").map(str::to_owned),
    })
}

/// Why no hub was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// The URL is none.
    #[error("not a URL: {0}")]
    Url(String),
    /// The client cannot be configured.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The resource cannot be reached.
    #[error("the resource cannot be reached: {0}")]
    Unavailable(String),
    /// The resource names no hub.
    #[error("{0} has no Link header with rel=\"mercure\"")]
    NoHub(String),
}
