//! Fuzzing: every target of `fuzz/` for a while, with nothing but the stable toolchain.
//!
//! The instrumentation that libFuzzer needs is in the stable compiler, behind a switch that `RUSTC_BOOTSTRAP` opens. It is
//! used here only, for code that is never shipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// Throw bytes at the parsers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seconds for each target
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    seconds: u32,
    /// Leave out the targets that need a whole hub
    #[arg(long)]
    parsers_only: bool,
    /// Names of the targets; all otherwise
    targets: Vec<String>,
}

/// Builds the targets and runs each.
///
/// # Errors
/// The first target that fails; its input is kept in `fuzz/artifacts`.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<()> {
    let binaries = build(root, args.parsers_only)?;
    let known = targets(root)?;
    if let Some(unknown) = args.targets.iter().find(|name| !known.contains(name)) {
        bail!("there is no fuzz target {unknown:?}; known are {}", known.join(", "));
    }
    let mut ran = 0;
    for name in known.iter().filter(|name| args.targets.is_empty() || args.targets.contains(name)) {
        let program = binaries.join(name);
        if program.is_file() {
            run_one(root, &program, name, args.seconds)?;
            ran += 1;
        }
    }
    println!("{ran} fuzz targets ran for {} s each and found nothing", args.seconds);
    Ok(())
}

/// Runs what is quick to compile for a second each: it shows that the targets still work.
///
/// # Errors
/// As [`run`].
pub(crate) fn smoke(root: &Path) -> anyhow::Result<()> {
    run(root, &Args { seconds: 1, parsers_only: true, targets: Vec::new() })
}

fn build(root: &Path, parsers_only: bool) -> anyhow::Result<PathBuf> {
    let host = crate::command::output(root, "rustc", &["-vV"])?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    // With an explicit target the flags do not apply to build scripts, which could not be linked.
    let mut args = vec!["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", host];
    if !parsers_only {
        args.extend(["--features", "hub"]);
    }
    let folder = root.join("fuzz/target");
    let status = Command::new("cargo")
        .args(&args)
        .current_dir(root)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", FLAGS.join(" "))
        .env("CARGO_TARGET_DIR", &folder)
        .status()
        .context("cargo cannot be started")?;
    if !status.success() {
        bail!("the fuzz targets do not compile");
    }
    Ok(folder.join(host).join("release"))
}

fn targets(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join("fuzz/targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn run_one(root: &Path, program: &Path, name: &str, seconds: u32) -> anyhow::Result<()> {
    let [corpus, artifacts, seeds] =
        ["corpus", "artifacts", "seeds"].map(|kind| root.join("fuzz").join(kind).join(name));
    for folder in [&corpus, &artifacts] {
        std::fs::create_dir_all(folder)?;
    }
    let mut command = Command::new(program);
    command.current_dir(root).arg(&corpus);
    if seeds.is_dir() {
        command.arg(&seeds);
    }
    let output = command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-max_len=4096", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"])
        .output()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("the fuzz target {name} failed:\n{said}");
    }
    let count = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    println!("{name}: {} inputs", count.unwrap_or(" ?").trim());
    Ok(())
}

/// What `cargo fuzz` passes, without the sanitizers: the code that is fuzzed is safe Rust.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
];
