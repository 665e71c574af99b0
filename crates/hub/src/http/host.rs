//! Which names a hub answers to (RFC 9110 section 7.4): what is sent to another host is none of its business, and a page
//! that made a browser take this machine for another host (DNS rebinding) learns nothing.

use http::header::HOST;
use http::{StatusCode, Version, request};
use petasos_protocol::HubUrl;
use url::{Host, Url};

use super::Problem;

/// Names that requests may address a hub by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hosts {
    /// Any: somebody else has checked it.
    Any,
    /// Names of this machine, with any port: `localhost`, `127.0.0.1`, `[::1]`.
    Loopback,
    /// The hosts and ports of these URLs.
    Of(Vec<HubUrl>),
}

impl Hosts {
    fn include(&self, authority: &str) -> bool {
        // The scheme only says which port is meant when none is named.
        let parsed = |scheme: &str| Url::parse(&format!("{scheme}://{authority}/")).ok();
        match self {
            Self::Any => true,
            Self::Loopback => parsed("http").is_some_and(|url| match url.host() {
                Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
                Some(Host::Ipv4(address)) => address.is_loopback(),
                Some(Host::Ipv6(address)) => address.is_loopback(),
                None => false,
            }),
            Self::Of(urls) => urls.iter().any(|own| {
                let scheme = own.as_str().split(':').next().unwrap_or_default();
                parsed(scheme).is_some_and(|url| url.origin().ascii_serialization() == own.origin())
            }),
        }
    }
}

/// Refuses a request that is addressed to another host.
pub(crate) fn check(hosts: &Hosts, parts: &request::Parts) -> Result<(), Problem> {
    if *hosts == Hosts::Any {
        return Ok(());
    }
    let authority = match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => {
            let mut hosts = parts.headers.get_all(HOST).iter();
            match (hosts.next(), hosts.next()) {
                (Some(host), None) => host.to_str().unwrap_or_default(),
                (None, _) if parts.version == Version::HTTP_10 => return Ok(()),
                // RFC 9112 section 3.2.
                _ => return Err(Problem::new(StatusCode::BAD_REQUEST, "A request names one Host.")),
            }
        }
    };
    if hosts.include(authority) {
        return Ok(());
    }
    let detail = format!(
        "This hub is not {authority:?}. If it should be, its operator has to add that name by --public-url."
    );
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_one_of_the_public_ones_with_or_without_its_usual_port() {
        let url = |text| HubUrl::parse(text).unwrap();
        let hosts = Hosts::Of(vec![
            url("https://example.com/.well-known/mercure"),
            url("http://hub.test:8080/.well-known/mercure"),
        ]);
        for good in ["example.com", "EXAMPLE.com:443", "hub.test:8080"] {
            assert!(hosts.include(good), "{good}");
        }
        for bad in
            ["example.com:80", "hub.test", "evil.test", "", "example.com.evil.test", "x@example.com.x", "a b"]
        {
            assert!(!hosts.include(bad), "{bad}");
        }
    }

    #[test]
    fn a_request_names_one_host_and_only_http_1_0_none() {
        let check = |version, hosts: &[&str]| {
            let mut request = http::Request::get("/").version(version);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            check(&Hosts::Loopback, &request.body(()).unwrap().into_parts().0).is_ok()
        };
        assert!(check(Version::HTTP_11, &["localhost"]) && check(Version::HTTP_10, &[]));
        assert!(!check(Version::HTTP_11, &[]) && !check(Version::HTTP_11, &["localhost", "localhost"]));
    }

    #[test]
    fn loopback_has_several_names_and_no_others() {
        for good in ["localhost", "LOCALHOST:1", "127.0.0.1:3000", "127.1.2.3", "[::1]:3000"] {
            assert!(Hosts::Loopback.include(good), "{good}");
        }
        for bad in ["example.com", "192.0.2.1", "localhost.evil.test", "[2001:db8::1]", ""] {
            assert!(!Hosts::Loopback.include(bad), "{bad}");
        }
    }
}
