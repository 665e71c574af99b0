//! `petasos hub`: runs a hub.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use petasos_client::token::{Secret, mint};
use petasos_hub::{Hub, Key, server};
use petasos_protocol::token::ClaimsBuilder;
use petasos_protocol::{HubUrl, Matcher};
use tracing_subscriber::EnvFilter;

use super::now;

/// Run a Mercure hub
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  petasos hub --dev
  MERCURE_PUBLISHER_JWT_KEY=\"$(openssl rand -base64 48)\" petasos hub --public-url https://example.com/.well-known/mercure

Tokens name the hub's public URL as audience and issuer; `petasos token` makes them.")]
pub(crate) struct Args {
    /// For one's own machine: makes keys, lets everyone in, prints ready tokens and commands
    #[arg(long)]
    dev: bool,
    /// Address to listen on
    #[arg(long, env = "PETASOS_LISTEN", default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// URL by which clients know the hub; needed unless it listens on a loopback address
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Secret that publishers' tokens are signed with, of at least 32 bytes
    #[arg(long, env = "MERCURE_PUBLISHER_JWT_KEY", hide_env_values = true, value_name = "SECRET")]
    publisher_key: Option<String>,
    /// Secret that subscribers' tokens are signed with; the publisher key otherwise
    #[arg(long, env = "MERCURE_SUBSCRIBER_JWT_KEY", hide_env_values = true, value_name = "SECRET")]
    subscriber_key: Option<String>,
    /// Trusted issuer of tokens; may be repeated; the hub's public URL otherwise
    #[arg(long, env = "MERCURE_TRUSTED_ISSUERS", value_delimiter = ',', value_name = "URL")]
    issuer: Vec<String>,
    /// Let subscribers without a token in; they receive public updates only
    #[arg(long, env = "MERCURE_ANONYMOUS")]
    anonymous: bool,
    /// Origin whose pages may use the hub; may be repeated; `*` for all, without credentials
    #[arg(long, value_name = "ORIGIN")]
    cors_origin: Vec<String>,
    /// Origin whose pages may publish with the cookie; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    publish_origin: Vec<String>,
    /// Seconds of silence after which a comment keeps a stream alive; 0 for never
    #[arg(long, default_value_t = 40, value_name = "SECONDS")]
    heartbeat: u64,
    /// Seconds after which a stream ends and its client reconnects; 0 for never
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    max_lifetime: u64,
    /// Name of the cookie that may carry a token
    #[arg(long, default_value = "__Secure-mercure_access_token", value_name = "NAME")]
    cookie_name: String,
    /// Dispatch threads; one per core otherwise
    #[arg(long, value_name = "N")]
    shards: Option<usize>,
}

/// Serves until Ctrl-C or SIGTERM.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    let secret = publisher_secret(&args)?;
    let listener = server::listen(args.listen).map_err(|error| taken(args.listen, &error))?;
    let address = listener.local_addr().context("the address cannot be read")?;
    let url = public_url(&args, address)?;
    let hub = build(&args, &secret, &url)?;
    announce(&args, &secret, &url)?;
    server::serve(listener, hub, NothingElse, interrupted()).await.context("cannot go on serving")
}

fn publisher_secret(args: &Args) -> anyhow::Result<String> {
    match &args.publisher_key {
        Some(key) => Ok(key.clone()),
        None if args.dev => Ok(petasos_hub::random_secret()),
        None => bail!(
            "a hub needs a key: set MERCURE_PUBLISHER_JWT_KEY (or --publisher-key) to a secret of at least 32 bytes, \
             for example what `openssl rand -base64 48` prints, or use --dev on your own machine"
        ),
    }
}

fn taken(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => "the address is in use by another program".to_owned(),
        _ => error.to_string(),
    };
    let other = address.port().wrapping_add(1);
    anyhow::anyhow!(
        "cannot listen on {address}: {reason}; choose another one by --listen (PETASOS_LISTEN), for example 127.0.0.1:{other}"
    )
}

fn public_url(args: &Args, address: SocketAddr) -> anyhow::Result<HubUrl> {
    match &args.public_url {
        Some(url) => HubUrl::parse(url).context("--public-url cannot be used"),
        None if address.ip().is_loopback() => {
            Ok(HubUrl::parse(&format!("http://{address}{}", HubUrl::DEFAULT_PATH))?)
        }
        None => bail!(
            "--public-url is needed when the hub listens on {address}, for example https://example.com/.well-known/mercure"
        ),
    }
}

fn build(args: &Args, secret: &str, url: &HubUrl) -> anyhow::Result<Hub> {
    let key = |secret: &str, option: &str| {
        Key::hs256(secret.as_bytes()).with_context(|| format!("{option} cannot be used"))
    };
    let publisher = key(secret, "--publisher-key (MERCURE_PUBLISHER_JWT_KEY)")?;
    let subscriber = match &args.subscriber_key {
        Some(secret) => key(secret, "--subscriber-key (MERCURE_SUBSCRIBER_JWT_KEY)")?,
        None => publisher.clone(),
    };
    let mut builder = Hub::builder()
        .public_url(url.clone())
        .publisher_key(publisher)
        .subscriber_key(subscriber)
        .issuers(args.issuer.clone())
        .anonymous(args.anonymous || args.dev)
        .cors_origins(origins(args))
        .publish_origins(args.publish_origin.clone())
        .heartbeat(seconds(args.heartbeat))
        .max_lifetime(seconds(args.max_lifetime))
        .cookie_name(args.cookie_name.clone());
    if let Some(shards) = args.shards {
        builder = builder.shards(shards);
    }
    Ok(builder.build()?)
}

fn origins(args: &Args) -> Vec<String> {
    let everyone = args.dev.then(|| "*".to_owned());
    args.cors_origin.iter().cloned().chain(everyone).collect()
}

/// 0 means never.
fn seconds(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Says where the hub is; under `--dev` also how to try it.
fn announce(args: &Args, secret: &str, url: &HubUrl) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "hub   {}", url.as_str())?;
    if args.dev {
        eprintln!(
            "warning: --dev lets everyone subscribe and shows the key below; use it on your own machine only"
        );
        out.write_all(instructions(secret, url)?.as_bytes())?;
    }
    out.flush()?;
    Ok(())
}

fn instructions(secret: &str, url: &HubUrl) -> anyhow::Result<String> {
    let key = Secret::new(secret.as_bytes())?;
    let now = now()?;
    let claims =
        ClaimsBuilder::new(url.as_str(), &[url.as_str()]).publish(&Matcher::any()).subscribe(&Matcher::any());
    let token = mint(&key, &claims.build(now, now + 86_400))?;
    let url = url.as_str();
    Ok(format!(
        "
Subscribe:
  curl -N '{url}?match=*'

Publish (the token is good for a day):
  curl {url} -H 'Authorization: Bearer {token}' -d topic=https://example.com/books/1 -d data=Hello

Start the bookshop against this hub instead of its own:
  MERCURE_PUBLISH_URL={url} MERCURE_JWT_SECRET={secret} cargo run --release -p bookshop

Ctrl-C stops the hub.
"
    ))
}

/// Resolves on Ctrl-C and on SIGTERM.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!(%error, "Ctrl-C cannot be noticed");
        std::future::pending::<()>().await;
    }
}

/// There is nothing beside the hub.
#[derive(Clone)]
struct NothingElse;

impl<B> tower_service::Service<Request<B>> for NothingElse {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut response =
            Response::new(Full::from("There is only a Mercure hub here, at /.well-known/mercure.\n"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        ready(Ok(response))
    }
}
