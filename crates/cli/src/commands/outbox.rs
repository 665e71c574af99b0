//! `petasos outbox`: looks at the changes that wait in a database, and mends those that were set aside.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use clap::Subcommand;
use petasos_changes::Outbox;

/// Look at the changes that wait in a database to be published, and mend those that never could be
///
/// A change that cannot be published, because of an expression that fails on its row for example, is set aside with the
/// reason and holds nobody back. Put it back once the reason is gone, or drop it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  petasos outbox status --database sqlite://data/bookshop.db
  petasos outbox retry --all
  petasos outbox drop 17 18

Give the database by DATABASE_URL if its URL holds a password: what stands in a command line is visible to everyone on the
machine.")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// URL of the database that the application uses: sqlite, postgres or mysql
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL", global = true)]
    database: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show how many changes wait, since when, and what was set aside
    Status {
        /// Show at most this many of the changes that were set aside
        #[arg(long, default_value_t = 20, value_name = "COUNT")]
        limit: usize,
    },
    /// Put changes that were set aside back among those that wait
    Retry(Which),
    /// Forget changes that were set aside
    Drop(Which),
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Numbers of the changes, as `status` shows them
    #[arg(value_name = "NUMBER")]
    numbers: Vec<i64>,
    /// All of them
    #[arg(long)]
    all: bool,
}

impl Which {
    fn numbers(&self) -> Option<&[i64]> {
        (!self.all).then_some(&self.numbers)
    }
}

/// Does one thing and says what came of it.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let url = args.database.context(
        "no database is named; give its URL by --database (DATABASE_URL), like sqlite://data/bookshop.db",
    )?;
    let outbox = Outbox::open(&url).await.context("--database (DATABASE_URL) cannot be used")?;
    let said = match args.action {
        Action::Status { limit } => status(&outbox, limit).await?,
        Action::Retry(which) => format!("{} put back\n", changes(outbox.retry(which.numbers()).await?)),
        Action::Drop(which) => {
            format!("{} dropped\n", changes(outbox.drop_set_aside(which.numbers()).await?))
        }
    };
    std::io::stdout().write_all(said.as_bytes())?;
    Ok(())
}

async fn status(outbox: &Outbox, limit: usize) -> anyhow::Result<String> {
    let status = outbox.status().await?;
    let mut said = format!("waiting    {}\n", status.waiting);
    if status.waiting > 0 {
        said.push_str(&format!("since      {}\n", ago(status.age)));
    }
    said.push_str(&format!("set aside  {}\n", status.set_aside));
    for change in outbox.list_set_aside(limit).await? {
        said.push_str(&format!(
            "\n{}  {} UTC  {} of {} {}\n    {}\n",
            change.seq, change.at, change.operation, change.table, change.key, change.reason
        ));
    }
    Ok(said)
}

fn changes(count: u64) -> String {
    if count == 1 { "1 change".to_owned() } else { format!("{count} changes") }
}

fn ago(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..120 => format!("{seconds} s ago"),
        seconds @ 120..7200 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3600),
    }
}
