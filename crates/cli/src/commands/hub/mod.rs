//! `petasos hub`: runs a hub.

use std::io::{self, Write};
use std::net::SocketAddr;

use anyhow::{Context, bail};
use axum::Router;
use clap::{Arg, ArgAction, ArgMatches};
use petasos_hub::server::Tls;
use petasos_hub::{Hub, server};
use petasos_protocol::HubUrl;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use self::signals::Signals;
use crate::config::{self, Config, Given, RUNNING};

mod admin;
mod announce;
mod history;
use history::History;
mod keys;
mod process;
mod settings;
mod signals;
mod site;

/// What `petasos hub` is told; see the table of options.
#[derive(Debug)]
pub(crate) struct Args {
    given: Given,
    check: bool,
}

impl clap::Args for Args {
    fn augment_args(command: clap::Command) -> clap::Command {
        let check = Arg::new("check").long("check").action(ArgAction::SetTrue).help_heading(RUNNING);
        let check = check.help("Check the configuration, say what each option is and why, and start nothing");
        config::arguments(command).arg(check).about("Run a Mercure hub").after_help(EXAMPLES)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { given: Given::from_matches(matches), check: matches.get_flag("check") })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Serves until Ctrl-C or SIGTERM.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    let config = args.given.complete()?;
    let secret = keys::dev_secret(&config);
    if args.check {
        return check(&config, secret.as_deref());
    }
    let listen = address(&config, "listen")?;
    // Everything that can be wrong is found before the first address is taken.
    drop(settings::describe(&config, secret.as_deref(), &public_urls(&config, listen)?)?);
    let history = History::describe(&config)?;
    let tls = settings::tls(&config)?;
    raise_open_files();
    let listener = server::listen(listen).map_err(|error| taken(&config, "listen", listen, &error))?;
    let admin = admin::listen(&config)?;
    let bound = listener.local_addr().context("the address cannot be read")?;
    let urls = public_urls(&config, bound)?;
    let builder = settings::describe(&config, secret.as_deref(), &urls)?;
    let hub = history.open(builder, &config)?.build()?;
    let token = announce::token(&config, secret.as_deref(), &urls[0])?;
    let started = announce::Started {
        url: &urls[0],
        bound,
        admin: admin.as_ref().map(TcpListener::local_addr).transpose()?,
        secret: secret.as_deref(),
        token: token.as_deref(),
    };
    let signals = signals::notice()?;
    started.announce(&config)?;
    let site = site::router(&config, &hub, token.as_deref());
    run_until_stopped((listener, tls), hub, site, admin, signals).await
}

async fn run_until_stopped(
    (listener, tls): (TcpListener, Option<Tls>),
    hub: Hub,
    site: Router,
    admin: Option<TcpListener>,
    signals: Signals,
) -> anyhow::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let (served, stopped) = (hub.clone(), signals::stop_wanted(stopping.clone()));
    let serving = async {
        match tls {
            None => server::serve(listener, served, site, stopped).await,
            Some(tls) => server::serve_tls(listener, tls, served, site, stopped).await,
        }
    };
    tokio::select! {
        served = serving => served.context("cannot go on serving"),
        failed = admin::serve(admin, hub, stopping) => failed,
        () = signals::listen(signals, stop) => {
            eprintln!("stopped at once");
            // Returning would wait for whatever is still under way. What was acknowledged is durable.
            std::process::exit(130)
        }
    }
}

/// Each subscriber is an open file. A limit that cannot be raised is no reason not to start.
fn raise_open_files() {
    match server::raise_open_files() {
        Ok(limit) => tracing::info!(limit, "open files"),
        Err(error) => eprintln!(
            "warning: the limit of open files cannot be raised ({error}); raise it from outside (`ulimit -n`) for more \
             subscribers"
        ),
    }
}

fn check(config: &Config, secret: Option<&str>) -> anyhow::Result<()> {
    let listen = address(config, "listen")?;
    let urls = public_urls(config, listen)?;
    drop(settings::describe(config, secret, &urls)?);
    drop(settings::tls(config)?);
    drop(History::describe(config)?);
    admin::address(config)?;
    let mut out = io::stdout().lock();
    out.write_all(config.explain().as_bytes())?;
    if secret.is_some() && config.text("publisher-key").is_none() {
        writeln!(out, "\n--dev makes a key at each start.")?;
    }
    writeln!(out, "\nThe configuration is good: the hub would be {}", urls[0].as_str())?;
    Ok(())
}

/// An address to listen on.
fn address(config: &Config, name: &str) -> anyhow::Result<SocketAddr> {
    let text = config.text(name).unwrap_or_default();
    text.parse().map_err(|_| config.wrong(name, "it is not an address and a port"))
}

fn taken(config: &Config, name: &str, address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => "the address is in use by another program".to_owned(),
        _ => error.to_string(),
    };
    let (place, other) = (config.place(name), address.port().wrapping_add(10));
    anyhow::anyhow!(
        "cannot listen on {address}: {reason}; choose another one by {place}, for example 127.0.0.1:{other}"
    )
}

/// The URLs of the hub; there is at least one.
fn public_urls(config: &Config, address: SocketAddr) -> anyhow::Result<Vec<HubUrl>> {
    let given = config.list("public-url");
    if !given.is_empty() {
        let parsed = given.iter().map(|url| HubUrl::parse(url));
        let urls: Vec<HubUrl> = parsed
            .collect::<Result<_, _>>()
            .map_err(|error| config.wrong("public-url", &error.to_string()))?;
        if urls.iter().any(|url| url.path() != urls[0].path()) {
            return Err(config.wrong("public-url", "all of them must have the same path"));
        }
        return Ok(urls);
    }
    if !address.ip().is_loopback() {
        bail!(
            "--public-url is needed when the hub listens on {address}, for example https://example.com/.well-known/mercure"
        );
    }
    let scheme = if config.text("tls-cert").is_some() { "https" } else { "http" };
    Ok(vec![HubUrl::parse(&format!("{scheme}://{address}{}", HubUrl::DEFAULT_PATH))?])
}

const EXAMPLES: &str = "Examples:
  petasos hub --dev
  MERCURE_PUBLISHER_JWT_KEY=\"$(openssl rand -base64 48)\" petasos hub --public-url https://example.com/.well-known/mercure
  petasos hub --config hub.toml --check

Tokens name the hub's public URL as audience and issuer; `petasos token` makes them.";
