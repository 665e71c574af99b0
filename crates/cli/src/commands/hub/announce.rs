//! What a hub says when it starts; under `--dev` also how to try it.

use std::io::{self, Write};
use std::net::SocketAddr;

use petasos_client::token::{Secret, mint};
use petasos_protocol::token::ClaimsBuilder;
use petasos_protocol::{HubUrl, Matcher};

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

/// What a started hub is, for whoever started it.
pub(super) struct Started<'a> {
    pub(super) url: &'a HubUrl,
    /// Where it listens.
    pub(super) bound: SocketAddr,
    /// Where it listens for operators.
    pub(super) admin: Option<SocketAddr>,
    /// Under `--dev`: the key, if it is one to show, and a token.
    pub(super) secret: Option<&'a str>,
    pub(super) token: Option<&'a str>,
}

impl Started<'_> {
    /// Prints the addresses, one per line, and under `--dev` what to try.
    pub(super) fn announce(&self, config: &Config) -> anyhow::Result<()> {
        let (mut out, url) = (io::stdout().lock(), self.url);
        writeln!(out, "hub   {}", url.as_str())?;
        if !config.list("public-url").is_empty() {
            // Where the proxy in front of it has to send what comes for the hub.
            writeln!(out, "local http://{}{}", self.bound, url.path())?;
        }
        if config.is_on("debugger") {
            writeln!(out, "page  {}/{}/", url.as_str().trim_end_matches('/'), site::SEGMENT)?;
        }
        if let Some(address) = self.admin {
            writeln!(out, "admin http://{address}/metrics")?;
        }
        if config.is_on("dev") {
            let warning = "lets everyone subscribe and gives a token for everything to whoever asks";
            eprintln!("warning: --dev {warning}: use it on your own machine only");
        }
        if let (Some(secret), Some(token)) = (self.secret, self.token) {
            out.write_all(instructions(secret, url.as_str(), token).as_bytes())?;
        }
        out.flush()?;
        Ok(())
    }
}

fn instructions(secret: &str, url: &str, token: &str) -> String {
    let secret = quoted(secret);
    format!(
        "
A token for everything, good for a day:
  TOKEN={token}

Subscribe:
  curl -N '{url}?match=*'

Publish:
  curl {url} -H 'Authorization: Bearer {token}' -d topic=https://example.com/books/1 -d data=Hello

See who is subscribed:
  curl {url}/subscriptions -H 'Authorization: Bearer {token}'

Start the bookshop against this hub instead of its own:
  MERCURE_PUBLISH_URL={url} MERCURE_JWT_SECRET={secret} cargo run --release -p bookshop

Ctrl-C stops the hub.
"
    )
}

/// One word for a shell, whatever somebody's key is made of.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
