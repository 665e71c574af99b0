//! Dependencies between the crates point one way, and the core pulls in nothing that does I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::command;

/// What each crate may depend on, tests left out.
const ALLOWED: &[(&str, &[&str])] = &[
    ("petasos-protocol", &[]),
    ("petasos-changes", &[]),
    ("petasos-derive", &[]),
    ("petasos-hub", &["petasos-protocol"]),
    ("petasos-client", &["petasos-protocol"]),
    ("petasos", &["petasos-changes", "petasos-client", "petasos-derive", "petasos-hub", "petasos-protocol"]),
    ("petasos-cli", &["petasos-changes", "petasos-client", "petasos-hub", "petasos-protocol"]),
    ("petasos-testkit", &[]),
    ("bookshop", &["petasos"]),
    ("petasos-conformance", &["petasos-testkit"]),
    ("petasos-tests", &["petasos-testkit"]),
    ("petasos-benches", &["petasos", "petasos-client", "petasos-hub", "petasos-protocol", "petasos-testkit"]),
    ("xtask", &[]),
];

/// Nothing of this may stand behind the protocol crate: it has no sockets, no clock, no randomness and no logging.
const DENIED: &[&str] =
    &["chrono", "getrandom", "hyper", "log", "mio", "rand", "socket2", "time", "tokio", "tracing", "uuid"];

/// Checks the workspace.
///
/// # Errors
/// Every arrow that points the wrong way.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let metadata = command::output(root, "cargo", &["metadata", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let mut wrong = wrong_arrows(&members(&metadata)?);
    wrong.extend(behind_protocol(&metadata)?);
    wrong.extend(hub_outside_its_file(root)?);
    if wrong.is_empty() {
        println!("dependencies point one way");
        return Ok(());
    }
    bail!("dependencies that may not be:\n  {}", wrong.join("\n  "))
}

type Members = BTreeMap<String, BTreeSet<String>>;

/// Normal and build dependencies of each member on other members.
fn members(metadata: &Value) -> anyhow::Result<Members> {
    let ids: BTreeSet<&str> =
        array(metadata, "workspace_members")?.iter().filter_map(Value::as_str).collect();
    let packages = array(metadata, "packages")?.iter();
    let own: Vec<&Value> =
        packages.filter(|package| package["id"].as_str().is_some_and(|id| ids.contains(id))).collect();
    let names: BTreeSet<&str> = own.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut members = Members::new();
    for package in own {
        let dependencies =
            array(package, "dependencies")?.iter().filter(|dependency| dependency["kind"] != "dev");
        let dependencies = dependencies.filter_map(|dependency| dependency["name"].as_str());
        let inner = dependencies.filter(|name| names.contains(name)).map(str::to_owned).collect();
        members.insert(package["name"].as_str().context("a package without a name")?.to_owned(), inner);
    }
    Ok(members)
}

fn wrong_arrows(members: &Members) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, dependencies) in members {
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| known == name) else {
            wrong.push(format!("{name} is not in the list of crates (xtask/src/deps.rs)"));
            continue;
        };
        let others = dependencies.iter().filter(|other| !allowed.contains(&other.as_str()));
        wrong.extend(others.map(|other| format!("{name} -> {other}")));
    }
    wrong
}

/// Follows the protocol crate's normal dependencies to the end.
fn behind_protocol(metadata: &Value) -> anyhow::Result<Vec<String>> {
    let nodes: BTreeMap<&str, &Value> = array(&metadata["resolve"], "nodes")?
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?, node)))
        .collect();
    let names: BTreeMap<&str, &str> = array(metadata, "packages")?
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
        .collect();
    let start = names.iter().find(|(_, name)| **name == "petasos-protocol").map(|(id, _)| *id);
    let mut open = vec![start.context("there is no petasos-protocol")?];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let dependencies = nodes.get(id).and_then(|node| node["deps"].as_array()).into_iter().flatten();
        let normal = |dependency: &&Value| {
            dependency["dep_kinds"]
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
        };
        open.extend(dependencies.filter(normal).filter_map(|dependency| dependency["pkg"].as_str()));
    }
    let behind = seen.iter().filter_map(|id| names.get(id)).filter(|name| DENIED.contains(name));
    Ok(behind.map(|name| format!("petasos-protocol -> ... -> {name}")).collect())
}

/// The API layer knows the hub in one file.
fn hub_outside_its_file(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for file in crate::budgets::rust_files(&root.join("crates/api/src"))? {
        if !file.ends_with("embedded.rs") && std::fs::read_to_string(&file)?.contains("petasos_hub") {
            wrong.push(format!("{} names petasos_hub; only embedded.rs may", file.display()));
        }
    }
    Ok(wrong)
}

fn array<'a>(value: &'a Value, name: &str) -> anyhow::Result<&'a Vec<Value>> {
    value[name].as_array().with_context(|| format!("cargo metadata has no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_that_points_back_is_found() {
        let members =
            |name: &str, to: &str| Members::from([(name.to_owned(), BTreeSet::from([to.to_owned()]))]);
        assert!(wrong_arrows(&members("petasos-hub", "petasos-protocol")).is_empty());
        assert_eq!(
            wrong_arrows(&members("petasos-protocol", "petasos-hub")),
            ["petasos-protocol -> petasos-hub"]
        );
        assert_eq!(wrong_arrows(&members("stranger", "petasos")).len(), 1);
    }
}
