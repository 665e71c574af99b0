//! The variables that say which hub an API uses, and how it is spoken to.

use petasos_client::token::Credential;
use petasos_protocol::HubUrl;
use petasos_protocol::compat::Generation;

use super::plan::DEFAULT_HUB;
use crate::error::Error;

/// Where updates go.
#[derive(Debug)]
pub(crate) enum Target {
    /// Into the hub inside the program; with a secret, others who know it may publish there too.
    /// Updates are kept where `transport` says.
    Embedded { secret: Option<String>, transport: Option<String> },
    /// To another hub, over HTTP.
    Remote { url: HubUrl, credential: Credential, generation: Generation },
}

/// What the variables say.
#[derive(Debug)]
pub(crate) struct LiveConfig {
    pub(crate) target: Target,
    /// What clients are told, if it is not where updates go.
    pub(crate) subscribe_url: Option<HubUrl>,
    /// Hubs beside that one.
    pub(crate) named: Vec<NamedHub>,
}

/// A hub that options name.
#[derive(Debug)]
pub(crate) struct NamedHub {
    pub(crate) name: String,
    pub(crate) url: HubUrl,
    pub(crate) subscribe_url: Option<HubUrl>,
    pub(crate) credential: Credential,
    pub(crate) generation: Generation,
}

impl LiveConfig {
    /// Reads the variables through `lookup`; an empty one counts as unset.
    ///
    /// # Errors
    /// [`Error::Variable`] names the variable, what is wrong, and a value that would do. Secrets are never shown.
    pub(crate) fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let get =
            |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let secret = get(SECRET);
        let generation = generation(PROTOCOL, get(PROTOCOL))?;
        let target = match get(PUBLISH) {
            None if generation != Generation::Current => {
                let problem = format!(
                    "the hub inside the program speaks 1.0 to its own program; for another one set {PUBLISH} too"
                );
                return Err(Error::variable(PROTOCOL, problem, "1.0"));
            }
            None => Target::Embedded {
                secret: secret.map(embedded_secret).transpose()?,
                transport: get(TRANSPORT),
            },
            Some(url) => {
                let url = hub_url(PUBLISH, &url)?;
                let secret = secret.ok_or_else(|| {
                    Error::variable(
                        SECRET,
                        format!("it is needed to publish to {}", url.as_str()),
                        SECRET_EXAMPLE,
                    )
                })?;
                Target::Remote { url, credential: credential(generation, &secret)?, generation }
            }
        };
        let subscribe_url = get(SUBSCRIBE).map(|url| hub_url(SUBSCRIBE, &url)).transpose()?;
        let names = get(HUBS).unwrap_or_default();
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        let named = names.map(|name| NamedHub::read(name, &get)).collect::<Result<_, _>>()?;
        Ok(Self { target, subscribe_url, named })
    }
}

impl NamedHub {
    fn read(name: &str, get: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        if name == DEFAULT_HUB
            || !name.chars().all(|char| char.is_ascii_alphanumeric() || char == '-' || char == '_')
        {
            let problem = format!(
                "{name:?} is no name of a hub: letters, digits, \"-\" and \"_\", and not \"default\""
            );
            return Err(Error::variable(HUBS, problem, "archive,public"));
        }
        let variable = |suffix: &str| format!("{HUBS}_{}_{suffix}", name.to_uppercase().replace('-', "_"));
        let needed = |suffix: &str, example: &str| {
            let variable = variable(suffix);
            let missing =
                || Error::variable(variable.clone(), format!("the hub {name:?} of {HUBS} needs it"), example);
            get(&variable).ok_or_else(missing).map(|value| (variable.clone(), value))
        };
        let (publish, url) = needed("PUBLISH_URL", HUB_EXAMPLE)?;
        let (secret_name, secret) = needed("JWT_SECRET", SECRET_EXAMPLE)?;
        let subscribe = variable("SUBSCRIBE_URL");
        let protocol = variable("PROTOCOL");
        let generation = generation(&protocol, get(&protocol))?;
        Ok(Self {
            name: name.to_owned(),
            url: hub_url(&publish, &url)?,
            subscribe_url: get(&subscribe).map(|url| hub_url(&subscribe, &url)).transpose()?,
            credential: Credential::parse_for(generation, &secret)
                .map_err(|error| Error::variable(secret_name, error.to_string(), SECRET_EXAMPLE))?,
            generation,
        })
    }
}

fn hub_url(variable: &str, value: &str) -> Result<HubUrl, Error> {
    HubUrl::parse(value).map_err(|error| Error::variable(variable, error.to_string(), HUB_EXAMPLE))
}

/// The generation of the protocol that a hub speaks; 1.0 if nothing is said.
fn generation(variable: &str, value: Option<String>) -> Result<Generation, Error> {
    let parsed = value.map_or(Ok(Generation::Current), |value| value.parse::<Generation>());
    parsed.map_err(|error| Error::variable(variable, error.to_string(), "selectors"))
}

fn credential(generation: Generation, secret: &str) -> Result<Credential, Error> {
    Credential::parse_for(generation, secret)
        .map_err(|error| Error::variable(SECRET, error.to_string(), SECRET_EXAMPLE))
}

fn embedded_secret(secret: String) -> Result<String, Error> {
    match credential(Generation::Current, &secret)? {
        Credential::Secret(_) => Ok(secret),
        _ => {
            let problem =
                "it is a ready token, which fits another hub: set MERCURE_PUBLISH_URL too, or give a secret";
            Err(Error::variable(SECRET, problem, SECRET_EXAMPLE))
        }
    }
}

/// Where the hub inside the program keeps its updates.
pub(crate) const TRANSPORT: &str = "MERCURE_TRANSPORT_URL";
const HUBS: &str = "MERCURE_HUBS";
const HUB_EXAMPLE: &str = "https://example.com/.well-known/mercure";
const PROTOCOL: &str = "MERCURE_PROTOCOL";
const PUBLISH: &str = "MERCURE_PUBLISH_URL";
const SUBSCRIBE: &str = "MERCURE_SUBSCRIBE_URL";
const SECRET: &str = "MERCURE_JWT_SECRET";
const SECRET_EXAMPLE: &str = "what `openssl rand -base64 48` prints";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<LiveConfig, String> {
        let lookup = |name: &str| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        };
        LiveConfig::read(&lookup).map_err(|error| error.to_string())
    }

    const LONG: &str = "a secret of at least thirty-two bytes";
    const JWT: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJleHAiOjF9.c2lnbmF0dXJl";

    #[test]
    fn unset_variables_mean_the_embedded_hub() {
        let config = read(&[("MERCURE_PUBLISH_URL", " ")]).unwrap();
        assert!(
            matches!(config.target, Target::Embedded { secret: None, transport: None })
                && config.subscribe_url.is_none()
        );
        let variables = [
            ("MERCURE_JWT_SECRET", LONG),
            ("MERCURE_SUBSCRIBE_URL", "https://h/x"),
            ("MERCURE_TRANSPORT_URL", "memory:"),
        ];
        let config = read(&variables).unwrap();
        let Target::Embedded { secret: Some(_), transport } = config.target else { unreachable!() };
        assert_eq!(transport.as_deref(), Some("memory:"));
        assert_eq!(config.subscribe_url.unwrap().as_str(), "https://h/x");
    }

    #[test]
    fn another_hub_takes_a_secret_or_a_ready_token() {
        for secret in [LONG, JWT] {
            let config = read(&[
                ("MERCURE_PUBLISH_URL", "http://h/.well-known/mercure"),
                ("MERCURE_JWT_SECRET", secret),
            ])
            .unwrap();
            assert!(matches!(config.target, Target::Remote { .. }));
        }
    }

    #[test]
    fn a_hub_may_speak_an_earlier_generation_and_have_a_short_secret_then() {
        let url = ("MERCURE_PUBLISH_URL", "http://h/.well-known/mercure");
        let (secret, protocol) = (("MERCURE_JWT_SECRET", "!ChangeMe!"), "MERCURE_PROTOCOL");
        for (name, expected) in [("selectors", Generation::Selectors), ("targets", Generation::Targets)] {
            let target = read(&[url, secret, (protocol, name)]).unwrap().target;
            assert!(matches!(target, Target::Remote { generation, .. } if generation == expected));
        }
        assert!(read(&[url, secret, (protocol, "1.0")]).unwrap_err().starts_with("MERCURE_JWT_SECRET"));
        for wrong in [&[url, secret, (protocol, "0.9")][..], &[(protocol, "targets")]] {
            assert!(read(wrong).unwrap_err().starts_with(protocol));
        }
        let named = [
            ("MERCURE_HUBS", "old"),
            ("MERCURE_HUBS_OLD_PUBLISH_URL", url.1),
            ("MERCURE_HUBS_OLD_JWT_SECRET", secret.1),
            ("MERCURE_HUBS_OLD_PROTOCOL", "targets"),
        ];
        assert_eq!(read(&named).unwrap().named[0].generation, Generation::Targets);
    }

    #[test]
    fn hubs_beside_the_default_one_have_names() {
        let archive = [
            ("MERCURE_HUBS", "archive, eu-west"),
            ("MERCURE_HUBS_ARCHIVE_PUBLISH_URL", "http://a/.well-known/mercure"),
            ("MERCURE_HUBS_ARCHIVE_SUBSCRIBE_URL", "https://public/.well-known/mercure"),
            ("MERCURE_HUBS_ARCHIVE_JWT_SECRET", LONG),
            ("MERCURE_HUBS_EU_WEST_PUBLISH_URL", "http://b/.well-known/mercure"),
            ("MERCURE_HUBS_EU_WEST_JWT_SECRET", JWT),
        ];
        let named = read(&archive).unwrap().named;
        assert_eq!((named[0].name.as_str(), named[1].name.as_str()), ("archive", "eu-west"));
        assert_eq!(named[0].subscribe_url.as_ref().unwrap().as_str(), "https://public/.well-known/mercure");
        assert!(named[1].subscribe_url.is_none());
        let said = read(&archive[..5]).unwrap_err();
        assert!(
            said.starts_with("MERCURE_HUBS_EU_WEST_JWT_SECRET cannot be used: the hub \"eu-west\""),
            "{said}"
        );
        let said = read(&[("MERCURE_HUBS", "default")]).unwrap_err();
        assert!(said.starts_with("MERCURE_HUBS cannot be used: \"default\" is no name"), "{said}");
    }

    #[test]
    fn what_is_wrong_is_one_line_that_names_the_variable_and_no_secret() {
        for (variables, name) in [
            (&[("MERCURE_PUBLISH_URL", "h")][..], "MERCURE_PUBLISH_URL"),
            (&[("MERCURE_PUBLISH_URL", "http://h/")], "MERCURE_JWT_SECRET"),
            (
                &[("MERCURE_PUBLISH_URL", "http://h/"), ("MERCURE_JWT_SECRET", "hunter2")],
                "MERCURE_JWT_SECRET",
            ),
            (&[("MERCURE_JWT_SECRET", "hunter2")], "MERCURE_JWT_SECRET"),
            (&[("MERCURE_JWT_SECRET", JWT)], "MERCURE_JWT_SECRET"),
            (&[("MERCURE_SUBSCRIBE_URL", "ftp://h/")], "MERCURE_SUBSCRIBE_URL"),
        ] {
            let error = read(variables).unwrap_err();
            assert!(error.starts_with(name) && !error.contains('\n'), "{error}");
            assert!(!error.contains("hunter2") && !error.contains(JWT), "{error}");
        }
    }
}
