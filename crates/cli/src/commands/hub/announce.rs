//! What a hub says when it starts; under `--dev` also how to try it.

use std::io::{self, Write};
use std::net::SocketAddr;

use petasos_client::token::{Secret, mint};
use petasos_protocol::token::ClaimsBuilder;
use petasos_protocol::{HubUrl, Matcher};
use tokio::net::TcpListener;

use super::site;
use crate::commands::now;
use crate::config::Config;

/// A token for everything, good for a day, if this is a hub to try.
pub(super) fn token(config: &Config, secret: Option<&str>, url: &HubUrl) -> anyhow::Result<Option<String>> {
    let Some(secret) = secret.filter(|_| config.is_on("dev")) else { return Ok(None) };
    let (key, now) = (Secret::new(secret.as_bytes())?, now()?);
    let issuer = config.list("issuer").first().map_or(url.as_str(), String::as_str);
    let claims =
        ClaimsBuilder::new(issuer, &[url.as_str()]).publish(&Matcher::any()).subscribe(&Matcher::any());
    Ok(Some(mint(&key, &claims.build(now, now + 86_400))?))
}

/// Prints the addresses, one per line.
pub(super) fn announce(
    config: &Config,
    secret: Option<&str>,
    url: &HubUrl,
    admin: Option<&TcpListener>,
    token: Option<&str>,
) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "hub   {}", url.as_str())?;
    if config.is_on("debugger") {
        writeln!(out, "page  {}/{}/", url.as_str().trim_end_matches('/'), site::SEGMENT)?;
    }
    if let Some(admin) = admin {
        let address: SocketAddr = admin.local_addr()?;
        writeln!(out, "admin http://{address}/metrics")?;
    }
    if config.is_on("dev") {
        eprintln!(
            "warning: --dev lets everyone subscribe and shows the key below; use it on your own machine only"
        );
    }
    if let (Some(token), Some(secret)) = (token, secret) {
        out.write_all(instructions(secret, url.as_str(), token).as_bytes())?;
    }
    out.flush()?;
    Ok(())
}

fn instructions(secret: &str, url: &str, token: &str) -> String {
    format!(
        "
Subscribe:
  curl -N '{url}?match=*'

Publish (the token is good for a day):
  curl {url} -H 'Authorization: Bearer {token}' -d topic=https://example.com/books/1 -d data=Hello

Start the bookshop against this hub instead of its own:
  MERCURE_PUBLISH_URL={url} MERCURE_JWT_SECRET={secret} cargo run --release -p bookshop

Ctrl-C stops the hub.
"
    )
}
