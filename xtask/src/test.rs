//! `cargo xtask test`: the one door. Installs what is missing, then checks and tests everything.

use std::path::Path;
use std::time::Instant;

use anyhow::bail;

use crate::{budgets, command, conformance, deps, fuzz, pages, tools};

/// Install what the tests need, then check and test everything
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave out the end-to-end and browser tests
    #[arg(long)]
    quick: bool,
    /// Run only the tests whose names contain this, and no checks
    #[arg(last = true)]
    filter: Option<String>,
}

/// Counts of the tests that were run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

/// Runs everything; the last line says how many tests passed and failed.
///
/// # Errors
/// The first check that fails, or that tests failed.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<()> {
    let start = Instant::now();
    let step = |name: &str| println!("\n== {name} ({} s)", start.elapsed().as_secs());
    step("tools");
    tools::ensure(root)?;
    if args.filter.is_none() {
        checks(root, &step)?;
    }
    step("binaries");
    command::run(root, "cargo", &["build", "--package", "bookshop", "--package", "petasos-cli"])?;
    step("tests");
    let mut counts = Counts::default();
    let mut all_well = cargo_test(root, &test_args(args), &mut counts)?;
    if args.filter.is_none() && !args.quick {
        step("conformance with the earlier generations on");
        all_well &= earlier_generations(root, &mut counts)?;
    }
    if args.filter.is_none() {
        step("fuzz targets");
        fuzz::smoke(root)?;
        step("pages");
        all_well &= page_tests(root, &mut counts)?;
        step("doc tests");
        all_well &= cargo_test(root, &["test", "--workspace", "--doc"], &mut counts)?;
        step("documentation");
        documentation(root)?;
    }
    println!("\nall of it took {} s", start.elapsed().as_secs());
    println!("{} passed, {} failed", counts.passed, counts.failed);
    if !all_well || counts.failed > 0 {
        bail!("tests failed");
    }
    Ok(())
}

fn checks(root: &Path, step: &dyn Fn(&str)) -> anyhow::Result<()> {
    step("format");
    command::run(root, "cargo", &["fmt", "--all", "--check"])?;
    step("dependencies");
    deps::check(root)?;
    step("budgets");
    budgets::check(root)?;
    step("conformance table");
    conformance::check(root)?;
    step("handbook");
    pages::check(root)?;
    step("lints");
    command::run(root, "cargo", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    command::run(
        root,
        "cargo",
        &["clippy", "--package", "petasos", "--no-default-features", "--", "-D", "warnings"],
    )
}

fn test_args(args: &Args) -> Vec<&str> {
    let mut all = vec!["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"];
    if args.quick {
        all.extend(["--exclude", "petasos-tests", "--exclude", "petasos-conformance"]);
    }
    if let Some(filter) = &args.filter {
        all.extend(["--", filter]);
    }
    all
}

fn cargo_test(root: &Path, args: &[&str], counts: &mut Counts) -> anyhow::Result<bool> {
    command::watch(root, "cargo", args, |line| counts.add(line))
}

/// A hub that serves the earlier generations of the protocol judges requests of 1.0 as before: the whole suite once more.
fn earlier_generations(root: &Path, counts: &mut Counts) -> anyhow::Result<bool> {
    let args = [
        "HUB_ARGS=--compat selectors,targets",
        "cargo",
        "test",
        "--package",
        "petasos-conformance",
        "--tests",
    ];
    command::watch(root, "env", &args, |line| counts.add(line))
}

/// The modules of the pages that need no browser.
fn page_tests(root: &Path, counts: &mut Counts) -> anyhow::Result<bool> {
    let mut args = vec!["--test".to_owned(), "--test-reporter=tap".to_owned()];
    for folder in ["examples/bookshop/web-tests", "crates/cli/debugger-tests"] {
        for entry in std::fs::read_dir(root.join(folder))? {
            args.push(format!("{folder}/{}", entry?.file_name().display()));
        }
    }
    args[2..].sort();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    command::watch(root, "node", &args, |line| counts.add_tap(line))
}

fn documentation(root: &Path) -> anyhow::Result<()> {
    let args = ["RUSTDOCFLAGS=-D warnings", "cargo", "doc", "--workspace", "--no-deps", "--quiet"];
    command::run(root, "env", &args)
}

impl Counts {
    /// Reads `test result: ok. 12 passed; 0 failed; ...`.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let number = |word: &str| {
            let before = result.split(word).next()?;
            before.trim_end().rsplit([' ', ';']).next()?.parse::<u64>().ok()
        };
        self.passed += number(" passed").unwrap_or_default();
        self.failed += number(" failed").unwrap_or_default();
    }

    /// Reads the summary of a TAP report: `# pass 12`.
    fn add_tap(&mut self, line: &str) {
        let number = |prefix: &str| line.strip_prefix(prefix)?.trim().parse::<u64>().ok();
        self.passed += number("# pass ").unwrap_or_default();
        self.failed += number("# fail ").unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_all_runs_are_added() {
        let mut counts = Counts::default();
        counts.add("running 3 tests");
        counts.add(
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        );
        counts.add("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s");
        counts.add_tap("# tests 5");
        counts.add_tap("# pass 4");
        counts.add_tap("# fail 1");
        assert_eq!(counts, Counts { passed: 19, failed: 3 });
    }
}
