//! The hub of an application: inside the program or elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use http::HeaderValue;
use petasos_client::Publisher as Client;
use petasos_client::token::{Credential, Secret};
use petasos_protocol::compat::Generation;
use petasos_protocol::{HubUrl, link};

#[cfg(feature = "embedded-hub")]
use crate::embedded::EmbeddedHub;
use crate::error::{Error, Result};
#[cfg(feature = "embedded-hub")]
use crate::live::default_cookie;
use crate::live::{DEFAULT_HUB, HttpPublisher, HubKey, LiveConfig, NamedHub, Publisher, Target};

/// The hubs of an application.
pub(crate) struct Hubs {
    /// Invariant: not empty; the first one is the default.
    list: Vec<HubLink>,
}

/// Where updates go, and what clients are told.
pub(crate) struct HubLink {
    name: String,
    url: HubUrl,
    kind: Kind,
}

enum Kind {
    #[cfg(feature = "embedded-hub")]
    Embedded(EmbeddedHub),
    Remote(Arc<HttpPublisher>),
}

/// A hub that the program itself describes.
pub(crate) struct OwnHub {
    pub(crate) name: String,
    pub(crate) client: Client,
    pub(crate) subscribe_url: String,
}

/// What the hub inside the program has to know about the application.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "embedded-hub"), expect(dead_code, reason = "there is no hub inside the program"))]
pub(crate) struct Place<'a> {
    /// The application's name.
    pub(crate) app: &'a str,
    pub(crate) base: &'a str,
    pub(crate) origins: &'a [String],
    pub(crate) cookie_name: Option<&'a str>,
}

impl Hubs {
    /// Starts what is configured; a hub of the program itself replaces the one of the same name.
    pub(crate) fn start(config: LiveConfig, own: Vec<OwnHub>, place: &Place<'_>) -> Result<Self> {
        let LiveConfig { target, subscribe_url, named } = config;
        let mut list = Vec::new();
        if !own.iter().any(|hub| hub.name == DEFAULT_HUB) {
            list.push(HubLink::start(target, subscribe_url, place)?);
        }
        for NamedHub { name, url, subscribe_url, credential, generation } in named {
            list.push(HubLink::remote(name, &url, subscribe_url, credential, generation)?);
        }
        for OwnHub { name, client, subscribe_url } in own {
            let url = HubUrl::parse(&subscribe_url)
                .map_err(|error| Error::Hub(format!("{subscribe_url:?}: {error}")))?;
            list.retain(|hub| hub.name != name);
            let hub = HubLink { name, url, kind: Kind::Remote(Arc::new(HttpPublisher::new(client))) };
            let place = if hub.name == DEFAULT_HUB { 0 } else { list.len() };
            list.insert(place, hub);
        }
        Ok(Self { list })
    }

    /// The one that is meant unless another one is named.
    pub(crate) fn default_hub(&self) -> &HubLink {
        &self.list[0]
    }

    /// Those of these names; all of them if only a row decides.
    pub(crate) fn of<'a>(&'a self, names: Option<&'a [String]>) -> impl Iterator<Item = &'a HubLink> {
        self.list.iter().filter(move |hub| names.is_none_or(|names| names.contains(&hub.name)))
    }

    /// What opens these hubs to users; all of them if only a row decides.
    ///
    /// # Errors
    /// [`Error::Hub`] if no tokens can be made for one of them.
    pub(crate) fn keys(&self, names: Option<&[String]>) -> Result<Vec<HubKey>> {
        self.of(names).map(HubLink::key).collect()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.list.iter().map(|hub| hub.name.as_str()).collect()
    }

    pub(crate) fn publishers(&self) -> HashMap<String, Arc<dyn Publisher>> {
        self.list.iter().map(|hub| (hub.name.clone(), hub.publisher())).collect()
    }
}

impl HubLink {
    fn start(target: Target, subscribe_url: Option<HubUrl>, place: &Place<'_>) -> Result<Self> {
        match target {
            Target::Embedded { secret, transport } => {
                let transport = transport.unwrap_or_else(|| format!("file:./data/{}-history", place.app));
                embedded(subscribe_url, secret.as_deref(), &transport, place)
            }
            Target::Remote { url, credential, generation } => {
                Self::remote(DEFAULT_HUB.to_owned(), &url, subscribe_url, credential, generation)
            }
        }
    }

    fn remote(
        name: String,
        url: &HubUrl,
        subscribe_url: Option<HubUrl>,
        credential: Credential,
        generation: Generation,
    ) -> Result<Self> {
        let public = subscribe_url.unwrap_or_else(|| url.clone());
        // Tokens name the hub as the world knows it, and as we reach it.
        let audience = [public.as_str(), url.as_str()];
        let client = Client::new(url.as_str(), credential, &audience);
        let client = client.map_err(|error| Error::Hub(error.to_string()))?.to_hub_of(generation);
        Ok(Self { name, url: public, kind: Kind::Remote(Arc::new(HttpPublisher::new(client))) })
    }

    /// What clients are told.
    pub(crate) fn url(&self) -> &HubUrl {
        &self.url
    }

    fn key(&self) -> Result<HubKey> {
        let (secret, known, generation) = match &self.kind {
            #[cfg(feature = "embedded-hub")]
            Kind::Embedded(hub) => (hub.secret().clone(), &[][..], Generation::Current),
            Kind::Remote(publisher) => {
                let client = publisher.client();
                (self.secret(client)?, client.audience(), client.generation())
            }
        };
        let audience = if known.is_empty() { vec![self.url.as_str().to_owned()] } else { known.to_vec() };
        Ok(HubKey { name: self.name.clone(), url: self.url.clone(), audience, secret, generation })
    }

    fn secret(&self, client: &Client) -> Result<Secret> {
        match client.credential() {
            Credential::Secret(secret) => Ok(secret.clone()),
            _ => Err(Error::Hub(format!(
                "the hub {:?} is published to with a ready token, and users need tokens of their own: give the secret that \
                 the hub trusts instead (MERCURE_JWT_SECRET)",
                self.name
            ))),
        }
    }

    /// What responses say of the hub (DIS.1). To be made before the state is read that the response shows: a client that
    /// continues after the event that is named then misses nothing.
    pub(crate) fn link(&self) -> Option<HeaderValue> {
        let newest = self.publisher().last_event_id();
        HeaderValue::try_from(link::hub(self.url.as_str(), newest.as_deref())).ok()
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
    transport: &str,
    place: &Place<'_>,
) -> Result<HubLink> {
    let Place { base, origins, cookie_name, .. } = *place;
    let own = HubUrl::parse(&format!("{base}{}", HubUrl::DEFAULT_PATH))
        .map_err(|error| Error::Hub(error.to_string()))?;
    let url = subscribe_url.unwrap_or(own);
    let cookie_name = cookie_name.unwrap_or_else(|| default_cookie(Generation::Current));
    let hub = EmbeddedHub::start(&url, secret, transport, page_origins(base, origins), cookie_name)?;
    Ok(HubLink { name: DEFAULT_HUB.to_owned(), url, kind: Kind::Embedded(hub) })
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
fn embedded(_: Option<HubUrl>, _: Option<&str>, _: &str, _: &Place<'_>) -> Result<HubLink> {
    let problem = "it is unset, and this program was built without the embedded hub";
    Err(Error::variable("MERCURE_PUBLISH_URL", problem, "http://127.0.0.1:3000/.well-known/mercure"))
}
