//! The keys that a hub trusts.

use std::sync::Arc;

use anyhow::{Context, bail};
use petasos_hub::{Algorithm, HubBuilder, Issuer, Key, KeySet, KeySetFile, KeySetUrl, SystemClock};

use crate::config::{Config, IssuerTable, KeyTexts};

/// The secret of a hub under `--dev`: the one that was given, or a new one.
pub(super) fn dev_secret(config: &Config) -> Option<String> {
    let symmetric = config.text("publisher-key-alg") == Some("HS256");
    let given = config.text("publisher-key").filter(|key| !key.starts_with('@'));
    match given {
        _ if !config.is_on("dev") || !symmetric => None,
        Some(key) => Some(key.to_owned()),
        None if config.text("publisher-key").is_some() || config.text("publisher-jwks").is_some() => None,
        None => Some(petasos_hub::random_secret()),
    }
}

/// Adds all keys and issuers.
///
/// # Errors
/// The first key that cannot be used; or that there is none.
pub(super) fn trust(
    builder: HubBuilder,
    config: &Config,
    secret: Option<&str>,
) -> anyhow::Result<HubBuilder> {
    let publisher = Purpose::read(config, ["publisher-key", "publisher-key-alg", "publisher-jwks"], secret)?;
    let subscriber =
        Purpose::read(config, ["subscriber-key", "subscriber-key-alg", "subscriber-jwks"], None)?;
    let subscriber = if subscriber.is_empty() { publisher.clone() } else { subscriber };
    if publisher.is_empty() && config.issuers.is_empty() {
        bail!(
            "a hub needs a key: set MERCURE_PUBLISHER_JWT_KEY (or --publisher-key) to a secret of at least 32 bytes, \
             for example what `openssl rand -base64 48` prints, or use --dev on your own machine"
        );
    }
    let mut builder = builder.issuers(config.list("issuer").to_vec());
    builder = publisher.keys.into_iter().fold(builder, HubBuilder::publisher_key);
    builder = publisher.sets.into_iter().fold(builder, HubBuilder::publisher_keys);
    builder = subscriber.keys.into_iter().fold(builder, HubBuilder::subscriber_key);
    builder = subscriber.sets.into_iter().fold(builder, HubBuilder::subscriber_keys);
    for table in &config.issuers {
        let issuer = issuer(table, may_be_short(config))
            .with_context(|| format!("[[issuers]] {:?} cannot be used", table.name))?;
        builder = builder.issuer(issuer);
    }
    Ok(builder)
}

fn issuer(table: &IssuerTable, may_be_short: bool) -> anyhow::Result<Issuer> {
    let purpose = |texts: &KeyTexts| {
        let alg = texts.alg.as_deref().unwrap_or("HS256");
        let keys = texts.key.iter().map(|text| key(text, alg, may_be_short)).collect::<Result<_, _>>()?;
        let sets = texts.jwks.iter().map(|place| set(place)).collect::<Result<_, _>>()?;
        anyhow::Ok(Purpose { keys, sets })
    };
    let (publisher, subscriber) = (purpose(&table.publisher)?, purpose(&table.subscriber)?);
    if publisher.is_empty() && subscriber.is_empty() {
        bail!("it has no key");
    }
    let mut issuer = Issuer::new(&table.name);
    issuer = publisher.keys.into_iter().fold(issuer, Issuer::publisher_key);
    issuer = publisher.sets.into_iter().fold(issuer, Issuer::publisher_keys);
    issuer = subscriber.keys.into_iter().fold(issuer, Issuer::subscriber_key);
    Ok(subscriber.sets.into_iter().fold(issuer, Issuer::subscriber_keys))
}

/// The keys of publishers, or of subscribers.
#[derive(Clone, Debug, Default)]
struct Purpose {
    keys: Vec<Key>,
    sets: Vec<KeySet>,
}

impl Purpose {
    fn read(
        config: &Config,
        [name, alg, jwks]: [&'static str; 3],
        secret: Option<&str>,
    ) -> anyhow::Result<Self> {
        let mut purpose = Self::default();
        if let Some(text) = secret.or(config.text(name)) {
            let algorithm = config.text(alg).unwrap_or_default();
            let key = key(text, algorithm, may_be_short(config))
                .map_err(|error| config.wrong(name, &error.to_string()))?;
            purpose.keys.push(key);
        }
        if let Some(place) = config.text(jwks) {
            let set = set(place).map_err(|error| config.wrong(jwks, &error.to_string()))?;
            purpose.sets.push(set);
        }
        Ok(purpose)
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.sets.is_empty()
    }
}

/// Publishers of earlier generations may have secrets that no hub would take today; the hub warns of them.
fn may_be_short(config: &Config) -> bool {
    !config.list("compat").is_empty()
}

/// A key from its text, or from the file that `@` names.
fn key(text: &str, algorithm: &str, may_be_short: bool) -> anyhow::Result<Key> {
    let algorithm: Algorithm = algorithm.parse()?;
    let make = if may_be_short { Key::maybe_short } else { Key::new };
    let Some(path) = text.strip_prefix('@') else { return Ok(make(text.as_bytes(), algorithm)?) };
    let material = std::fs::read(path).with_context(|| format!("{path} cannot be read"))?;
    // Editors end files with a line break that belongs to no secret.
    let end = material.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |last| last + 1);
    Ok(make(&material[..end], algorithm)?)
}

fn set(place: &str) -> anyhow::Result<KeySet> {
    let clock = Arc::new(SystemClock::new());
    if place.contains("://") {
        return Ok(KeySet::new(KeySetUrl::new(place).map_err(anyhow::Error::msg)?, clock));
    }
    // Fails now rather than with the first token.
    std::fs::metadata(place).with_context(|| format!("{place} cannot be read"))?;
    Ok(KeySet::new(KeySetFile::new(place), clock))
}
