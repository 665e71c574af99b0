//! A live bookshop: an API, a Mercure hub, a database and a web page in one command.

#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

use axum::middleware::from_fn_with_state;
use petasos::{App, Server};
use tracing_subscriber::EnvFilter;

mod database;
mod entities;
mod readers;
mod seed;
mod web;

use entities::{announcement, book, order, review};

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match open().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bookshop: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn open() -> anyhow::Result<()> {
    let mut app = App::from_env()?
        .name("bookshop")
        .resource::<book::Entity>()
        .resource::<review::Entity>()
        .resource::<announcement::Entity>()
        .resource::<order::Entity>()
        .current_user(readers::current)
        .token_endpoint("/.well-known/mercure-token");
    let db = app.connect().await?;
    // Before the triggers exist, so that nobody is told of a dozen new books.
    let stocked = seed::prepare(&db).await?;
    let place = database::place(&db).await?;
    let server = app.bind().await?;
    // Before anybody is told that the shop is open.
    let interrupted = petasos::interrupted();
    std::io::stdout().write_all(welcome(&server, &place, stocked).as_bytes())?;
    let page = web::Page::new(place.file.as_deref(), server.hub_url())?;
    let guard = from_fn_with_state(db, readers::guard);
    server.wrap(|api| page.around(api.layer(guard))).run_until(interrupted).await?;
    Ok(())
}

/// Where everything is, and what to try.
fn welcome(server: &Server, place: &database::Place, stocked: bool) -> String {
    let (url, hub) = (server.url(), server.hub_url());
    let database = &place.name;
    let metrics = server.metrics_url().map_or_else(String::new, |url| format!("  metrics   {url}\n"));
    let stocked = if stocked { " (new, with a dozen books)" } else { "" };
    let sql = place.file.as_ref().map(|file| {
        format!("  sqlite3 {file} \"UPDATE book SET price_cents = price_cents + 50 WHERE id = 1\"\n")
    });
    format!(
        "The bookshop is open.\n\n  \
           page      {url}/\n  \
           API       {url}/books\n  \
           hub       {hub}\n  \
           database  {database}{stocked}\n\
         {metrics}\n\
         Open the page in two tabs, then try this in another terminal:\n\n  \
           curl -X PATCH {url}/books/1 -H 'Content-Type: application/merge-patch+json' -d '{{\"title\":\"Dune, by curl\"}}'\n\
         {sql}  \
           curl -N '{hub}?match_urlpattern={url}/books/:id'\n\n\
         Ctrl-C closes the shop.\n",
        sql = sql.unwrap_or_default(),
    )
}
