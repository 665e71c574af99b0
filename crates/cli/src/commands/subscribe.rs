//! `petasos subscribe`: shows what a hub publishes.

use std::io::Write;

use anyhow::{Context, bail};
use petasos_client::{Signal, Subscriber, discover};
use petasos_protocol::sse::Message;
use petasos_protocol::{HubUrl, Matcher};
use serde_json::json;

use super::matchers;

/// Show updates as they come, reconnecting when the connection is lost
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  petasos subscribe http://127.0.0.1:3000/.well-known/mercure --pattern 'https://example.com/books/:id'
  petasos subscribe --discover http://127.0.0.1:8000/books/1
  petasos subscribe http://127.0.0.1:3000/.well-known/mercure --all --json | jq .data")]
pub(crate) struct Args {
    /// URL of the hub, or with --discover of a resource whose Link header names it
    #[arg(value_name = "URL", env = "MERCURE_SUBSCRIBE_URL")]
    url: String,
    /// Topic, byte for byte; may be repeated
    #[arg(long, visible_alias = "topic", value_name = "TOPIC")]
    exact: Vec<String>,
    /// URL pattern of topics; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pattern: Vec<String>,
    /// Every topic
    #[arg(long)]
    all: bool,
    /// Find the hub by the Link header of URL; without other topics, subscribe to the resource itself
    #[arg(long)]
    discover: bool,
    /// Begin after this event; `earliest` for the whole history
    #[arg(long, value_name = "ID")]
    last_event_id: Option<String>,
    /// Access token, for private updates
    #[arg(long, env = "MERCURE_SUBSCRIBER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// One JSON object per event
    #[arg(long)]
    json: bool,
    /// End after so many events
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// Prints events on standard output and the state of the connection on standard error.
pub(crate) async fn run(mut args: Args) -> anyhow::Result<()> {
    let hub = if args.discover { find(&mut args).await? } else { args.url.clone() };
    let base = HubUrl::parse(&hub).context("URL cannot be used (--discover takes the URL of a resource)")?;
    let mut wanted = matchers(&args.exact, &args.pattern, &base)?;
    if args.all {
        wanted.push(Matcher::any());
    }
    if wanted.is_empty() {
        bail!("nothing is selected; give --exact TOPIC, --pattern PATTERN or --all");
    }
    let mut subscriber = subscriber(&args, &hub, &wanted)?;
    let mut left = args.count;
    while left != Some(0) {
        match subscriber.next().await? {
            Signal::Open => eprintln!("subscribed to {hub}"),
            Signal::Reconnecting { reason, after } => {
                eprintln!("reconnecting in {:.1} s: {reason}", after.as_secs_f64());
            }
            Signal::Message(message) => {
                show(&message, args.json)?;
                left = left.map(|left| left - 1);
            }
            _ => {}
        }
    }
    Ok(())
}

fn subscriber(args: &Args, hub: &str, wanted: &[Matcher]) -> anyhow::Result<Subscriber> {
    let mut subscriber = Subscriber::new(hub, wanted)?;
    if let Some(token) = &args.token {
        subscriber = subscriber.token(token);
    }
    if let Some(id) = &args.last_event_id {
        subscriber = subscriber.last_event_id(id);
    }
    Ok(subscriber)
}

async fn find(args: &mut Args) -> anyhow::Result<String> {
    let found = discover(&args.url).await.with_context(|| format!("no hub was found at {}", args.url))?;
    if args.exact.is_empty() && args.pattern.is_empty() && !args.all {
        args.exact.push(found.self_topic.unwrap_or_else(|| args.url.clone()));
    }
    args.last_event_id = args.last_event_id.take().or(found.last_event_id);
    Ok(found.hub)
}

fn show(message: &Message, as_json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        writeln!(out, "{}", json!({"id": message.id, "type": message.event_type, "data": message.data}))?;
    } else {
        writeln!(out, "{}  {}\n{}\n", message.id, message.event_type, message.data)?;
    }
    out.flush()?;
    Ok(())
}
