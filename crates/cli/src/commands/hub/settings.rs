//! From the configuration to a hub.

use petasos_hub::server::Tls;
use petasos_hub::{BacklogLimits, ConnectionLimits, Hosts, Hub, HubBuilder, Patience, Random, TimeOrdered};
use petasos_protocol::compat::{Compat, Generation};
use petasos_protocol::{EventId, HubUrl, PublishLimits, SubscribeLimits};

use super::{keys, site};
use crate::config::Config;

/// The certificate, if there is one.
///
/// # Errors
/// If it cannot be used, or if one of the two options is missing.
pub(super) fn tls(config: &Config) -> anyhow::Result<Option<Tls>> {
    match (config.text("tls-cert"), config.text("tls-key")) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => {
            let tls = Tls::from_pem_files(certificate.as_ref(), key.as_ref());
            Ok(Some(tls.map_err(|error| config.wrong("tls-cert", &error.to_string()))?))
        }
        (Some(_), None) => {
            Err(config.wrong("tls-cert", "it needs its key: set --tls-key (PETASOS_TLS_KEY) too"))
        }
        (None, Some(_)) => {
            Err(config.wrong("tls-key", "it needs its certificate: set --tls-cert (PETASOS_TLS_CERT) too"))
        }
    }
}

fn backlog(config: &Config) -> anyhow::Result<BacklogLimits> {
    let max_stall_ms = u64::try_from(config.time("max-stall")?.as_millis())?;
    Ok(BacklogLimits { max_bytes: config.size("max-backlog")?, max_stall_ms, ..BacklogLimits::default() })
}

/// Describes the hub that the configuration asks for.
///
/// # Errors
/// The first option that cannot be used.
pub(super) fn describe(config: &Config, secret: Option<&str>, urls: &[HubUrl]) -> anyhow::Result<HubBuilder> {
    let hosts = match config.list("public-url") {
        [] => Hosts::Loopback,
        _ => Hosts::Of(urls.to_vec()),
    };
    let (mut publish, mut subscribe) = (PublishLimits::default(), SubscribeLimits::default());
    publish.max_topics = config.size("max-topics")?;
    publish.max_topic = at_most(config, "max-topic-length", LONGEST)?;
    publish.max_id = at_most(config, "max-id-length", EventId::MAX)?;
    subscribe.max_matchers = config.size("max-matchers")?;
    subscribe.max_matcher = at_most(config, "max-matcher-length", LONGEST)?;
    let patience = Patience { head: config.time("head-timeout")?, body: config.time("body-timeout")? };
    let head = u32::try_from(config.size("max-head")?);
    let head = head.map_err(|_| config.wrong("max-head", "it is too large"))?;
    let builder = urls.iter().cloned().fold(Hub::builder(), HubBuilder::public_url);
    let builder = keys::trust(builder, config, secret)?
        .hosts(hosts)
        .compat(generations(config)?)
        .anonymous(config.is_on("anonymous"))
        .subscriptions(config.is_on("subscriptions"))
        .cors_origins(config.list("cors-origin").iter().cloned())
        .publish_origins(config.list("publish-origin").iter().cloned())
        .heartbeat(config.period("heartbeat")?)
        .max_lifetime(config.period("max-lifetime")?)
        .shutdown_spread(config.time("shutdown-spread")?)
        .cookie_name(config.text("cookie-name").unwrap_or_default())
        .shutdown_grace(config.time("shutdown-grace")?)
        .patience(patience)
        .max_body(config.size("max-body")?)
        .max_head(head)
        .publish_limits(publish)
        .subscribe_limits(subscribe)
        .backlog_limits(backlog(config)?)
        .connection_limits(ConnectionLimits {
            total: config.limit("max-subscribers")?,
            per_address: config.limit("max-subscribers-per-address")?,
            per_token: config.limit("max-subscribers-per-token")?,
        });
    let builder = if config.is_on("debugger") { builder.leave(site::SEGMENT) } else { builder };
    let builder = match config.text("event-ids") {
        Some("random") => builder.ids(Random),
        _ => builder.ids(TimeOrdered),
    };
    Ok(match config.limit("shards")? {
        Some(shards) => builder.shards(shards),
        None => builder,
    })
}

/// The earlier generations of the protocol that are served.
fn generations(config: &Config) -> anyhow::Result<Compat> {
    let parsed = config.list("compat").iter().map(|name| name.parse::<Generation>());
    parsed.collect::<Result<_, _>>().map_err(|error| config.wrong("compat", &error.to_string()))
}

fn at_most(config: &Config, name: &str, most: usize) -> anyhow::Result<usize> {
    let size = config.size(name)?;
    if size > most { Err(config.wrong(name, &format!("{most} bytes are the most"))) } else { Ok(size) }
}

/// What the history can keep as one text.
const LONGEST: usize = 60 << 10;
