//! `petasos bench`: puts a load on any Mercure hub and says what came of it.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use petasos_client::token::Credential;
use petasos_protocol::Topic;
use tokio::sync::watch;

use super::credential;

mod crowd;
mod histogram;
mod publish;
mod report;
mod tally;
use crowd::Crowd;
use report::Report;
use tally::Tally;

/// Put a load on a hub: subscribers, updates, and how late and how complete they arrive
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  MERCURE_JWT_SECRET=... petasos bench --url https://example.com/.well-known/mercure
  petasos bench --url http://127.0.0.1:3000/.well-known/mercure --subscribers 10000 --rate 5 --duration 60 --private

Give the secret or token by MERCURE_JWT_SECRET: what stands in a command line is visible to everyone on the machine.
Latency counts from the moment at which a publish is sent to the moment at which a subscriber has the event. Ctrl-C ends
the load early and prints what was measured until then. Run it on another machine than the hub to measure the hub alone.")]
pub(crate) struct Args {
    /// URL of the hub
    #[arg(long, env = "MERCURE_SUBSCRIBE_URL", value_name = "URL")]
    url: String,
    /// URL to publish at, if it is another one
    #[arg(long, env = "MERCURE_PUBLISH_URL", value_name = "URL")]
    publish_url: Option<String>,
    /// URL by which the hub knows itself, if it is reached under another one
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Secret to sign tokens with, or a ready token that allows to publish
    #[arg(long, visible_alias = "token", env = "MERCURE_JWT_SECRET", hide_env_values = true)]
    secret: String,
    /// Ready token for all subscribers; without it each gets a token of its own, signed with the secret
    #[arg(long, env = "MERCURE_SUBSCRIBER_TOKEN", hide_env_values = true)]
    subscriber_token: Option<String>,
    /// How many subscribe; each has a connection of its own
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    subscribers: u32,
    /// Updates per second; 0 only connects and stays
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(..=10_000))]
    rate: u32,
    /// Seconds for which updates are published
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    duration: u32,
    /// Topic of the updates; one that nobody else uses otherwise
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Bytes of data in each update
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    size: u32,
    /// Publish private updates
    #[arg(long)]
    private: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// What is to be done, checked.
struct Plan {
    url: String,
    publish_url: String,
    audience: Vec<String>,
    credential: Credential,
    subscriber_token: Option<String>,
    subscribers: usize,
    rate: u32,
    duration: Duration,
    topic: Topic,
    /// What the data of each update begins with.
    mark: String,
    size: usize,
    private: bool,
}

impl Plan {
    /// How many updates there will be.
    fn updates(&self) -> usize {
        self.rate as usize * usize::try_from(self.duration.as_secs()).unwrap_or(usize::MAX)
    }
}

/// Prints the state of things on standard error and the result on standard output.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let as_json = args.json;
    let plan = Arc::new(plan(args)?);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(interruptions(stop));
    let report = measure(&plan, &stopped).await?;
    let text = if as_json { format!("{}\n", report.as_json()) } else { report.to_string() };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

async fn measure(plan: &Arc<Plan>, stopped: &watch::Receiver<bool>) -> anyhow::Result<Report> {
    let tally = Arc::new(Tally::new(plan.updates()));
    let began = Instant::now();
    let mut crowd = Crowd::open(plan, &tally)?;
    eprintln!("opening {} subscriptions at {}", plan.subscribers, plan.url);
    crowd.opened(&tally, stopped).await?;
    let opened_in = began.elapsed();
    let began = Instant::now();
    if !*stopped.borrow() {
        let (rate, seconds, topic) = (plan.rate, plan.duration.as_secs(), &plan.topic);
        eprintln!("publishing {rate}/s for {seconds} s on {topic}; Ctrl-C ends it");
        publish::run(plan, &tally, stopped).await?;
    }
    tally.arrived(crowd.open_now(&tally), stopped).await;
    let lasted = began.elapsed();
    let report = Report::new(plan, &tally, opened_in, lasted, *stopped.borrow());
    crowd.leave().await;
    Ok(report)
}

/// The first Ctrl-C ends the load, the second one the program.
async fn interruptions(stop: watch::Sender<bool>) {
    for count in 1.. {
        if let Err(error) = tokio::signal::ctrl_c().await {
            eprintln!("warning: Ctrl-C cannot be noticed: {error}");
            // Dropping the sender would look like Ctrl-C.
            return std::future::pending().await;
        }
        if count == 2 {
            std::process::exit(130);
        }
        eprintln!("stopping; Ctrl-C again stops at once");
        stop.send_replace(true);
    }
}

fn plan(args: Args) -> anyhow::Result<Plan> {
    let subscribers = args.subscribers as usize;
    check_files(subscribers)?;
    let updates = u64::from(args.rate) * u64::from(args.duration);
    if updates > MOST_UPDATES || updates.saturating_mul(u64::from(args.subscribers)) > MOST_DELIVERIES {
        bail!(
            "{updates} updates for {subscribers} subscribers are more than can be kept account of: lower --rate or \
             --duration to {MOST_UPDATES} updates at most, or --subscribers so that there are at most {MOST_DELIVERIES} \
             deliveries"
        );
    }
    let mark = format!("petasos-bench-{}-{}", std::process::id(), super::now()?);
    let topic = args.topic.unwrap_or_else(|| format!("https://example.com/{mark}"));
    let publish_url = args.publish_url.unwrap_or_else(|| args.url.clone());
    let mut audience = vec![args.public_url.unwrap_or_else(|| args.url.clone()), args.url.clone()];
    audience.push(publish_url.clone());
    Ok(Plan {
        credential: credential(&args.secret, "--secret (MERCURE_JWT_SECRET)")?,
        url: args.url,
        publish_url,
        audience,
        subscriber_token: args.subscriber_token,
        subscribers,
        rate: args.rate,
        duration: Duration::from_secs(u64::from(args.duration)),
        topic: Topic::new(&topic).context("--topic cannot be used")?,
        mark,
        size: args.size as usize,
        private: args.private,
    })
}

/// Each subscriber is an open file.
fn check_files(subscribers: usize) -> anyhow::Result<()> {
    let limit = match petasos_hub::server::raise_open_files() {
        Ok(limit) => limit.unwrap_or(u64::MAX),
        Err(error) => bail!("the limit of open files cannot be raised: {error}"),
    };
    let most = limit.saturating_sub(OTHER_FILES);
    if subscribers as u64 > most {
        bail!(
            "--subscribers {subscribers} needs more open files than this process may have; give at most {most}, raise \
             the limit (`ulimit -n`), or run several `petasos bench` at a time"
        );
    }
    Ok(())
}

/// For each update the moment at which it was sent is kept: 80 megabytes.
const MOST_UPDATES: u64 = 10_000_000;

/// For each delivery one bit says whether it has come: half a gigabyte.
const MOST_DELIVERIES: u64 = 4_000_000_000;

/// Files that are no subscriber's: those of publishing above all.
const OTHER_FILES: u64 = 300;
