//! What the tests need beside Rust, and how to get it.

use std::path::Path;

use anyhow::bail;

use crate::command::{exists, output, run};

/// A program and the Debian package that has it. The packages of database servers start one of their own, which the tests
/// never use: they start private ones.
const PROGRAMS: &[(&str, &str)] = &[
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("curl", "curl"),
    ("mariadbd", "mariadb-server"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("python3", "python3-venv"),
    ("postgres", "postgresql"),
    ("sqlite3", "sqlite3"),
];

/// Installs what is missing, or says exactly what is.
///
/// # Errors
/// What has to be installed by hand.
pub(crate) fn ensure(root: &Path) -> anyhow::Result<()> {
    ensure_components(root)?;
    ensure_programs(root)?;
    ensure_clients(root)
}

fn ensure_programs(root: &Path) -> anyhow::Result<()> {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !exists(program, proof(program)) && !is_beside_the_path(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        let names: Vec<&str> = PROGRAMS.iter().map(|(program, _)| *program).collect();
        println!("{} are there", names.join(", "));
        return Ok(());
    }
    let by_hand = format!("apt-get update && apt-get install -y {}", missing.join(" "));
    if !exists("apt-get", &["--version"]) || output(root, "id", &["-u"])?.trim() != "0" {
        bail!("the tests need {}; on Debian, install them as root: {by_hand}", missing.join(", "));
    }
    println!("installing {}", missing.join(", "));
    for attempt in 1.. {
        match install(root, &missing) {
            Ok(()) => break,
            Err(error) if attempt == ATTEMPTS => bail!("{error:#}; try by hand: {by_hand}"),
            Err(error) => println!("{error:#}; trying again"),
        }
    }
    Ok(())
}

/// Debian keeps the programs of each version of PostgreSQL in a folder of their own.
fn is_beside_the_path(program: &str) -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    versions.filter_map(Result::ok).any(|version| version.path().join("bin").join(program).is_file())
}

/// What a program is asked that is there as a whole; Debian's Python comes without what makes environments.
fn proof(program: &str) -> &'static [&'static str] {
    if program == "python3" { &["-c", "import ensurepip, venv"] } else { &["--version"] }
}

fn install(root: &Path, packages: &[&str]) -> anyhow::Result<()> {
    let env = ["env", "DEBIAN_FRONTEND=noninteractive"];
    let update = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-qq", "update"];
    run(root, env[0], &[&env[1..], &update].concat())?;
    let install = [
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Dpkg::Use-Pty=0",
        "-qq",
        "-y",
        "--no-install-recommends",
        "install",
    ];
    run(root, env[0], &[&env[1..], &install, packages].concat())
}

/// Other people's clients, which the conformance suite tries against a hub; as the lock file names them.
fn ensure_clients(root: &Path) -> anyhow::Result<()> {
    let folder = root.join("tests/conformance/clients");
    if !folder.join("node_modules/eventsource-2").is_dir() {
        again(&folder, "npm", &["ci", "--no-audit", "--no-fund"])?;
    }
    ensure_python_clients(&folder)
}

fn ensure_python_clients(folder: &Path) -> anyhow::Result<()> {
    let (python, pip) =
        (".venv/bin/python", ["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"]);
    let is_there =
        exists(&folder.join(python).display().to_string(), &["-c", "import pymercure, requests, sseclient"]);
    if is_there {
        return Ok(());
    }
    run(folder, "python3", &["-m", "venv", "--clear", ".venv"])?;
    let python = folder.join(python).display().to_string();
    again(folder, &python, &[&pip[..], &["requirements.txt"]].concat())
}

/// Registries may be out of reach for a moment.
fn again(folder: &Path, program: &str, args: &[&str]) -> anyhow::Result<()> {
    for attempt in 1.. {
        match run(folder, program, args) {
            Ok(()) => break,
            Err(error) if attempt == ATTEMPTS => return Err(error),
            Err(error) => println!("{error:#}; trying again"),
        }
    }
    Ok(())
}

fn ensure_components(root: &Path) -> anyhow::Result<()> {
    for (component, args) in [("rustfmt", ["fmt", "--version"]), ("clippy", ["clippy", "--version"])] {
        if !exists("cargo", &args) {
            println!("installing {component}");
            run(root, "rustup", &["component", "add", component])?;
        }
    }
    Ok(())
}

const ATTEMPTS: u32 = 3;
