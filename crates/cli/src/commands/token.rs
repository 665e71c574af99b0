//! `petasos token`: makes an access token.

use std::io::Write;

use anyhow::Context;
use petasos_client::token::mint;
use petasos_protocol::HubUrl;
use petasos_protocol::token::ClaimsBuilder;

use super::{matchers, now, secret};

/// Make an access token and print it
///
/// The token names the hub as its audience and, unless told otherwise, as its issuer, and is signed with HMAC-SHA256.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  petasos token --hub http://127.0.0.1:3000/.well-known/mercure --publish '*'
  petasos token --hub https://example.com/.well-known/mercure --subscribe-pattern 'https://example.com/users/7/:x' --expires 86400

Give the secret by MERCURE_JWT_SECRET: what stands in a command line is visible to everyone on the machine.")]
pub(crate) struct Args {
    /// URL of the hub that the token is for
    #[arg(long, env = "MERCURE_PUBLISH_URL", value_name = "URL")]
    hub: String,
    /// Secret that the hub knows, of at least 32 bytes
    #[arg(long, env = "MERCURE_JWT_SECRET", hide_env_values = true)]
    secret: String,
    /// Issuer of the token, if it is not the hub's URL
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Topic that it allows to publish on; `*` for all; may be repeated
    #[arg(long, value_name = "TOPIC")]
    publish: Vec<String>,
    /// URL pattern of topics that it allows to publish on; may be repeated
    #[arg(long, value_name = "PATTERN")]
    publish_pattern: Vec<String>,
    /// Topic whose private updates it allows to receive; `*` for all; may be repeated
    #[arg(long, value_name = "TOPIC")]
    subscribe: Vec<String>,
    /// URL pattern of topics whose private updates it allows to receive; may be repeated
    #[arg(long, value_name = "PATTERN")]
    subscribe_pattern: Vec<String>,
    /// Whom the token is about
    #[arg(long)]
    subject: Option<String>,
    /// JSON object that the hub shows to those who may see the subscription
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
    /// Seconds until it expires
    #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
    expires: u64,
}

/// Prints the token and nothing else.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let hub = HubUrl::parse(&args.hub).context("--hub cannot be used")?;
    let secret = secret(&args.secret, "--secret (MERCURE_JWT_SECRET)")?;
    let mut claims = ClaimsBuilder::new(args.issuer.as_deref().unwrap_or(hub.as_str()), &[hub.as_str()]);
    for matcher in matchers(&args.publish, &args.publish_pattern, &hub)? {
        claims = claims.publish(&matcher);
    }
    for matcher in matchers(&args.subscribe, &args.subscribe_pattern, &hub)? {
        claims = claims.subscribe(&matcher);
    }
    if let Some(subject) = &args.subject {
        claims = claims.subject(subject);
    }
    if let Some(payload) = &args.payload {
        let payload: serde_json::Value = serde_json::from_str(payload).context("--payload is not JSON")?;
        anyhow::ensure!(payload.is_object(), "--payload must be a JSON object, like {{\"name\":\"Ann\"}}");
        claims = claims.payload(payload);
    }
    let now = now()?;
    let token = mint(&secret, &claims.build(now, now.saturating_add(args.expires)))?;
    writeln!(std::io::stdout(), "{token}")?;
    Ok(())
}
