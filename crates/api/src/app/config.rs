//! What the environment says.

use std::net::SocketAddr;

use crate::error::{Error, Result};
use crate::live::LiveConfig;

/// The settings of an application.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// Where operators ask; nowhere unless it is said.
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) database_url: Option<String>,
    pub(crate) public_url: Option<String>,
    pub(crate) origins: Vec<String>,
    pub(crate) cookie_name: Option<String>,
    pub(crate) live: LiveConfig,
}

impl Config {
    /// Reads the settings through `lookup`; an empty variable counts as unset.
    ///
    /// # Errors
    /// [`Error::Variable`] for the first that cannot be used.
    pub(crate) fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let get =
            |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let origins = get("PETASOS_CORS_ORIGINS").unwrap_or_default();
        Ok(Self {
            listen: get(LISTEN).map_or(Ok(DEFAULT_LISTEN), |value| address(LISTEN, &value))?,
            admin: get(ADMIN).map(|value| address(ADMIN, &value)).transpose()?,
            database_url: get("DATABASE_URL"),
            public_url: get(PUBLIC).map(|value| public_url(&value)).transpose()?,
            origins: origins
                .split(',')
                .map(|origin| origin.trim().to_owned())
                .filter(|origin| !origin.is_empty())
                .collect(),
            cookie_name: get("PETASOS_COOKIE_NAME"),
            live: LiveConfig::read(lookup)?,
        })
    }
}

fn address(name: &'static str, value: &str) -> Result<SocketAddr> {
    value.parse().map_err(|_| {
        Error::variable(name, format!("{value:?} is not an address and a port"), "127.0.0.1:8000")
    })
}

/// The root of an origin: clients resolve paths against it.
fn public_url(value: &str) -> Result<String> {
    let url = url::Url::parse(value).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    match url.filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none()) {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        None => Err(Error::variable(
            PUBLIC,
            format!("{value:?} is not the root of an http(s) origin"),
            "https://example.com",
        )),
    }
}

const LISTEN: &str = "PETASOS_LISTEN";
const ADMIN: &str = "PETASOS_ADMIN_LISTEN";
const PUBLIC: &str = "PETASOS_PUBLIC_URL";
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8000);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> std::result::Result<Config, String> {
        let lookup = |name: &str| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        };
        Config::read(&lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_has_a_default() {
        let config = read(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
        assert!(
            config.admin.is_none()
                && config.database_url.is_none()
                && config.public_url.is_none()
                && config.origins.is_empty()
        );
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named_with_an_example() {
        let error = read(&[("PETASOS_LISTEN", "8000")]).unwrap_err();
        assert_eq!(
            error,
            "PETASOS_LISTEN cannot be used: \"8000\" is not an address and a port; an example is 127.0.0.1:8000"
        );
        for url in ["example.com", "https://example.com/api", "ftp://example.com"] {
            assert!(
                read(&[("PETASOS_PUBLIC_URL", url)]).unwrap_err().starts_with("PETASOS_PUBLIC_URL"),
                "{url}"
            );
        }
        let config = read(&[
            ("PETASOS_PUBLIC_URL", "https://example.com/"),
            ("PETASOS_CORS_ORIGINS", "https://a, https://b,"),
        ]);
        let config = config.unwrap();
        assert_eq!(config.public_url.as_deref(), Some("https://example.com"));
        assert_eq!(config.origins, ["https://a", "https://b"]);
    }
}
