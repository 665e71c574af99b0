//! The checks of this repository, and the one command that tests everything.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

mod budgets;
mod command;
mod conformance;
mod deps;
mod fuzz;
mod lexer;
mod pages;
mod test;
mod tools;

/// The checks of this repository, and the one command that tests everything.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what the tests need, then check and test everything
    Test(test::Args),
    /// Check that dependencies between the crates point one way
    Deps,
    /// Check that each requirement of the protocol has a test that exists
    Conformance,
    /// Check the sizes of files and functions
    Budgets,
    /// Check that the links of the handbook lead somewhere and that its index is complete
    Pages,
    /// Throw bytes at every parser that remote bytes reach: `cargo xtask fuzz --seconds 60`
    Fuzz(fuzz::Args),
    /// Run a benchmark beside its floor, or a hub under churn: `cargo xtask bench fanout`, `cargo xtask bench soak`
    Bench {
        /// Name of the benchmark
        name: String,
        /// What it is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = root().and_then(|root| match cli.task {
        Task::Test(args) => test::run(&root, &args),
        Task::Deps => deps::check(&root),
        Task::Conformance => conformance::check(&root),
        Task::Budgets => budgets::check(&root),
        Task::Pages => pages::check(&root),
        Task::Fuzz(args) => fuzz::run(&root, &args),
        Task::Bench { name, args } => bench(&root, &name, &args),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench(root: &std::path::Path, name: &str, args: &[String]) -> anyhow::Result<()> {
    let mut all = vec!["run", "--release", "--quiet", "--package", "petasos-benches", "--bin", name, "--"];
    all.extend(args.iter().map(String::as_str));
    command::run(root, "cargo", &all)
}

fn root() -> anyhow::Result<PathBuf> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Ok(own.parent().context("xtask has no folder around it")?.to_owned())
}
