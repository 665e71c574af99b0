//! `petasos publish`: sends an update to a hub.

use std::io::{Read, Write};

use anyhow::{Context, bail};
use petasos_client::Publisher;
use petasos_protocol::{EventId, EventType, Topic, Update};

use super::credential;

/// Publish an update and print its id
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  petasos publish --hub http://127.0.0.1:3000/.well-known/mercure --topic https://example.com/books/1 --data '{\"id\":1}'
  cat book.json | petasos publish --topic https://example.com/books/1 --topic https://example.com/users/7 --private --data -

Give the secret or token by MERCURE_JWT_SECRET: what stands in a command line is visible to everyone on the machine.")]
pub(crate) struct Args {
    /// URL of the hub
    #[arg(long, env = "MERCURE_PUBLISH_URL", value_name = "URL")]
    hub: String,
    /// Secret to sign a token with, or a ready token
    #[arg(long, visible_alias = "token", env = "MERCURE_JWT_SECRET", hide_env_values = true)]
    secret: String,
    /// URL by which the hub knows itself, if it is reached under another one
    #[arg(long, env = "MERCURE_SUBSCRIBE_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Topic; the first one is canonical, the others are alternates
    #[arg(long, required = true, value_name = "TOPIC")]
    topic: Vec<String>,
    /// What the event carries; `-` reads it from standard input
    #[arg(long, default_value = "", hide_default_value = true)]
    data: String,
    /// Only for subscribers whose token names one of the topics
    #[arg(long)]
    private: bool,
    /// Id of the event; the hub makes one otherwise
    #[arg(long)]
    id: Option<String>,
    /// Type of the event; `message` to browsers otherwise
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Milliseconds after which clients reconnect
    #[arg(long, value_name = "MS")]
    retry: Option<u64>,
    /// Key by which the hub recognises a repetition
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// Prints the id that the hub answers.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let update = update(&args)?;
    let credential = credential(&args.secret, "--secret (MERCURE_JWT_SECRET)")?;
    let public = args.public_url.as_deref().unwrap_or(&args.hub);
    let publisher =
        Publisher::new(&args.hub, credential, &[public, &args.hub]).context("--hub cannot be used")?;
    match publisher.publish(&update, args.idempotency_key.as_deref()).await {
        Ok(id) => writeln!(std::io::stdout(), "{id}")?,
        Err(error) if error.is_unauthorized() => {
            bail!(
                "{error} Is --secret (MERCURE_JWT_SECRET) the hub's publisher key, and --public-url the URL that it calls its own?"
            )
        }
        Err(error) if error.is_retryable() => bail!("{error} (is the hub running at {}?)", args.hub),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn update(args: &Args) -> anyhow::Result<Update> {
    let mut topics = args.topic.iter().map(|topic| Topic::new(topic).context("--topic cannot be used"));
    let mut update = Update::new(topics.next().context("--topic is missing")??);
    for topic in topics {
        update = update.with_alternate(topic?);
    }
    let mut data = args.data.clone();
    if data == "-" {
        data.clear();
        std::io::stdin().read_to_string(&mut data).context("standard input cannot be read")?;
    }
    update = update.with_data(data).with_private(args.private);
    if let Some(id) = &args.id {
        update = update.with_id(EventId::new(id).context("--id cannot be used")?);
    }
    if let Some(event_type) = &args.event_type {
        update = update.with_event_type(EventType::new(event_type).context("--type cannot be used")?);
    }
    if let Some(retry) = args.retry {
        update = update.with_retry(retry);
    }
    Ok(update)
}
