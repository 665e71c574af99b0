//! The cookie that carries a subscriber's token from the API to the hub: who may set it for whom, and with what attributes.

use petasos_protocol::HubUrl;
use petasos_protocol::compat::Generation;
use url::{Host, Url};

/// Where a browser keeps the cookie: only for requests to the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// `None` where the API and the hub have the same host: no other host then ever gets the cookie.
    domain: Option<String>,
    path: String,
}

impl Place {
    /// The place of a cookie that an API at `api` sets for a hub: the same host, or a sibling below a registrable domain.
    ///
    /// # Errors
    /// Why browsers would not take it, in one line.
    pub(super) fn find(api: &str, hub: &HubUrl) -> Result<Self, String> {
        let host = |url: &str| {
            let url = Url::parse(url).map_err(|error| format!("{url:?}: {error}"))?;
            url.host().map(|host| host.to_owned()).ok_or_else(|| format!("{url} has no host"))
        };
        let (own, theirs) = (host(api)?, host(hub.as_str())?);
        let path = hub.path().to_owned();
        if own == theirs {
            return Ok(Self { domain: None, path });
        }
        let shared = match (&own, &theirs) {
            (Host::Domain(own), Host::Domain(theirs)) => shared(own, theirs),
            _ => None,
        };
        match shared {
            Some(domain) => Ok(Self { domain: Some(domain), path }),
            None => Err(format!(
                "browsers take no cookie for {theirs} from {own}: they share no domain that somebody has registered; \
                 put the hub beside the API, or hand tokens out with App::token_endpoint"
            )),
        }
    }

    /// The header that sets the cookie. It has no time of its own: where an expired token is still sent, the hub refuses it
    /// and the page knows that it must ask again; where none is sent, the page would silently get what is public only.
    pub(super) fn set(&self, name: &str, token: &str) -> String {
        format!("{name}={token}; {}", self.attributes())
    }

    /// The header that removes the cookie.
    pub(super) fn clear(&self, name: &str) -> String {
        format!("{name}=; Max-Age=0; {}", self.attributes())
    }

    fn attributes(&self) -> String {
        let domain = self.domain.as_ref().map(|domain| format!("Domain={domain}; ")).unwrap_or_default();
        format!("{domain}Path={}; Secure; HttpOnly; SameSite=Strict", self.path)
    }
}

/// What hubs of a generation call the cookie unless they are told otherwise.
pub(crate) fn default_name(generation: Generation) -> &'static str {
    match generation {
        Generation::Current => "__Secure-mercure_access_token",
        Generation::Selectors | Generation::Targets => "mercureAuthorization",
    }
}

/// The longest domain that both are in, if it is one that somebody can own: browsers refuse cookies for `com` or `github.io`.
fn shared(own: &str, theirs: &str) -> Option<String> {
    let labels = own.rsplit('.').zip(theirs.rsplit('.')).take_while(|(own, theirs)| own == theirs);
    let mut labels: Vec<&str> = labels.map(|(label, _)| label).collect();
    labels.reverse();
    let domain = labels.join(".");
    psl::domain_str(&domain).is_some().then_some(domain)
}

/// Whether browsers take a `Secure` cookie from here: over TLS, and from this machine.
pub(super) fn is_trustworthy(api: &str) -> bool {
    let Ok(url) = Url::parse(api) else { return false };
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(api: &str, hub: &str) -> Result<String, String> {
        Place::find(api, &HubUrl::parse(hub).unwrap()).map(|place| place.set("n", "t"))
    }

    #[test]
    fn the_same_host_needs_no_domain_whatever_the_port() {
        let expected = "n=t; Path=/.well-known/mercure; Secure; HttpOnly; SameSite=Strict";
        for (api, hub) in [
            ("https://example.com", "https://example.com/.well-known/mercure"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:3000/.well-known/mercure"),
        ] {
            assert_eq!(attributes(api, hub).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn siblings_share_the_narrowest_domain_that_is_somebodys() {
        for (api, hub, domain) in [
            ("https://api.example.com", "https://hub.example.com/m", "example.com"),
            ("https://api.eu.example.co.uk", "https://hub.eu.example.co.uk/m", "eu.example.co.uk"),
            ("https://example.com", "https://hub.example.com/m", "example.com"),
        ] {
            let expected = format!("n=t; Domain={domain}; Path=/m; Secure; HttpOnly; SameSite=Strict");
            assert_eq!(attributes(api, hub), Ok(expected));
        }
    }

    #[test]
    fn others_are_refused() {
        for (api, hub) in [
            ("https://example.com", "https://example.net/m"),
            ("https://a.co.uk", "https://b.co.uk/m"),
            ("https://ann.github.io", "https://bob.github.io/m"),
            ("https://badexample.com", "https://example.com/m"),
            ("http://127.0.0.1:1", "http://127.0.0.2/m"),
            ("http://localhost", "http://127.0.0.1/m"),
        ] {
            let said = attributes(api, hub).unwrap_err();
            assert!(
                said.contains("browsers take no cookie") && said.contains("App::token_endpoint"),
                "{said}"
            );
        }
    }

    #[test]
    fn secure_cookies_need_tls_except_on_this_machine() {
        for url in ["https://example.com", "http://localhost:1", "http://127.0.0.1", "http://[::1]:1"] {
            assert!(is_trustworthy(url), "{url}");
        }
        assert!(!is_trustworthy("http://example.com") && !is_trustworthy("http://192.168.1.2"));
    }
}
