//! The `petasos` command: run a hub, mint tokens, publish, subscribe, load a hub, mend an outbox, complete in shells.

#![forbid(unsafe_code)]

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

mod commands;
mod config;
use commands::{bench, completions, history, hub, outbox, publish, subscribe, token};

/// A Mercure hub and the tools to try it: when something changes, every screen that shows it changes.
#[derive(Debug, Parser)]
#[command(name = "petasos", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(Box<bench::Args>),
    Completions(completions::Args),
    History(history::Args),
    Hub(Box<hub::Args>),
    Outbox(outbox::Args),
    Publish(publish::Args),
    Subscribe(subscribe::Args),
    Token(token::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Bench(args) => bench::run(*args).await,
        Command::Completions(args) => completions::run(&args, Cli::command()),
        Command::History(args) => history::run(&args),
        Command::Hub(args) => hub::run(*args).await,
        Command::Outbox(args) => outbox::run(args).await,
        Command::Publish(args) => publish::run(args).await,
        Command::Subscribe(args) => subscribe::run(args).await,
        Command::Token(args) => token::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has enough of it: `petasos subscribe ... | head -1` is no failure.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_make_sense() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_shows_no_secret_from_the_environment_and_every_option_is_explained() {
        for command in Cli::command().get_subcommands() {
            for argument in command
                .get_arguments()
                .filter(|argument| argument.get_id() != "help" && argument.get_id() != "version")
            {
                assert!(argument.get_help().is_some(), "{}: {}", command.get_name(), argument.get_id());
                let name = argument.get_id().as_str();
                if argument.get_env().is_none() {
                    continue;
                }
                if name.contains("key") || name.contains("secret") || name == "token" {
                    assert!(argument.is_hide_env_values_set(), "{}: {name}", command.get_name());
                }
            }
        }
    }
}
