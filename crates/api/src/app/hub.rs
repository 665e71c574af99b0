//! The hub of an application: inside the program or elsewhere.

use std::sync::Arc;

use axum::Router;
use petasos_client::Publisher as Client;
use petasos_protocol::HubUrl;

#[cfg(feature = "embedded-hub")]
use crate::embedded::EmbeddedHub;
use crate::error::{Error, Result};
use crate::live::{HttpPublisher, LiveConfig, Publisher, Target};

/// Where updates go, and what clients are told.
pub(crate) struct HubLink {
    url: HubUrl,
    kind: Kind,
}

enum Kind {
    #[cfg(feature = "embedded-hub")]
    Embedded(EmbeddedHub),
    Remote(Arc<HttpPublisher>),
}

impl HubLink {
    pub(crate) fn start(config: LiveConfig, base: &str, origins: &[String]) -> Result<Self> {
        match config.target {
            Target::Embedded { secret } => embedded(config.subscribe_url, secret.as_deref(), base, origins),
            Target::Remote { url, credential } => {
                let public = config.subscribe_url.unwrap_or_else(|| url.clone());
                // Tokens name the hub as the world knows it, and as we reach it.
                let audience = [public.as_str(), url.as_str()];
                let client = Client::new(url.as_str(), credential, &audience)
                    .map_err(|error| Error::Hub(error.to_string()))?;
                Ok(Self { url: public, kind: Kind::Remote(Arc::new(HttpPublisher::new(client))) })
            }
        }
    }

    /// What clients are told.
    pub(crate) fn url(&self) -> &HubUrl {
        &self.url
    }

    pub(crate) fn publisher(&self) -> Arc<dyn Publisher> {
        match &self.kind {
            #[cfg(feature = "embedded-hub")]
            Kind::Embedded(hub) => Arc::new(hub.clone()),
            Kind::Remote(publisher) => Arc::clone(publisher) as Arc<dyn Publisher>,
        }
    }

    /// The routes of the hub inside the program.
    pub(crate) fn routes(&self) -> Option<Router> {
        match &self.kind {
            #[cfg(feature = "embedded-hub")]
            Kind::Embedded(hub) => Some(hub.router()),
            Kind::Remote(_) => None,
        }
    }

    /// The hub inside the program.
    #[cfg(feature = "embedded-hub")]
    pub(crate) fn embedded(&self) -> Option<&EmbeddedHub> {
        match &self.kind {
            Kind::Embedded(hub) => Some(hub),
            Kind::Remote(_) => None,
        }
    }
}

#[cfg(feature = "embedded-hub")]
fn embedded(
    subscribe_url: Option<HubUrl>,
    secret: Option<&str>,
    base: &str,
    origins: &[String],
) -> Result<HubLink> {
    let own = HubUrl::parse(&format!("{base}{}", HubUrl::DEFAULT_PATH))
        .map_err(|error| Error::Hub(error.to_string()))?;
    let url = subscribe_url.unwrap_or(own);
    let hub = EmbeddedHub::start(&url, secret, page_origins(base, origins)).map_err(Error::Hub)?;
    Ok(HubLink { url, kind: Kind::Embedded(hub) })
}

/// A page that was opened under the other name of this machine is as much ours.
#[cfg(feature = "embedded-hub")]
fn page_origins(base: &str, origins: &[String]) -> Vec<String> {
    let mut all = origins.to_vec();
    if let Some(port) = base.strip_prefix("http://127.0.0.1:") {
        all.push(format!("http://localhost:{port}"));
    }
    all
}

#[cfg(not(feature = "embedded-hub"))]
fn embedded(_: Option<HubUrl>, _: Option<&str>, _: &str, _: &[String]) -> Result<HubLink> {
    let problem = "it is unset, and this program was built without the embedded hub";
    Err(Error::variable("MERCURE_PUBLISH_URL", problem, "http://127.0.0.1:3000/.well-known/mercure"))
}
