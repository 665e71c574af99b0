//! The table of `docs/conformance.md`: every requirement of the protocol has a test, and every test that is named exists.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, bail};

use crate::budgets::rust_files;

/// How many requirements each part of the protocol has.
const PARTS: &[(&str, usize)] =
    &[("SUB", 11), ("PUB", 9), ("AUTH", 5), ("REC", 4), ("ACT", 4), ("DIS", 2), ("DEC", 9)];

/// Compares the table with the tests of the sources.
///
/// # Errors
/// Every requirement without a test, and every test that is not there.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let path = root.join("docs/conformance.md");
    let table = std::fs::read_to_string(&path).with_context(|| format!("{} is missing", path.display()))?;
    let wrong = complaints(&table, &tests(root)?);
    if wrong.is_empty() {
        println!("every requirement of the protocol has a test");
        return Ok(());
    }
    bail!("docs/conformance.md:\n  {}", wrong.join("\n  "))
}

fn complaints(table: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .map(|line| line.split(" | ").map(str::trim).collect())
        .collect();
    for (part, count) in PARTS {
        for number in 1..=*count {
            let name = format!("{part} {number}");
            if !rows.iter().any(|row| row[0] == name && named(row).next().is_some()) {
                wrong.push(format!("{name} has no test"));
            }
        }
    }
    for row in &rows {
        let missing = named(row).filter(|test| !tests.contains(*test));
        wrong.extend(missing.map(|test| format!("{}: there is no test `{test}`", row[0])));
    }
    wrong
}

/// The tests in the last cell of a row, each between backticks.
fn named<'a>(row: &[&'a str]) -> impl Iterator<Item = &'a str> + use<'a> {
    let cell = if row.len() > 2 { row[row.len() - 1] } else { "" };
    cell.split('`').skip(1).step_by(2)
}

/// The names of all test functions.
fn tests(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for folder in ["crates", "tests"] {
        for file in rust_files(&root.join(folder))?.into_iter().chain(unit_tests(&root.join(folder))?) {
            names.extend(tests_of(&std::fs::read_to_string(file)?));
        }
    }
    Ok(names)
}

/// Test modules in files of their own, which the budgets pass over.
fn unit_tests(folder: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(unit_tests(&path)?);
        } else if path.file_name().is_some_and(|name| name == "tests.rs") {
            files.push(path);
        }
    }
    Ok(files)
}

/// A function is a test if an attribute that ends in `test]`, or that has arguments, stands before it.
fn tests_of(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some(rest) = function.filter(|_| marked) {
            names.extend(rest.split('(').next().map(str::to_owned));
            marked = false;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            marked = false;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_told_from_other_functions() {
        let text = "fn no() {}\n#[test]\nfn a() {}\n    #[tokio::test]\n    async fn b() {\n#[test]\n#[cfg(unix)]\nfn c() {}\n#[must_use]\nfn d() {}";
        assert_eq!(tests_of(text), ["a", "b", "c"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let tests = BTreeSet::from(["a".to_owned()]);
        let mut table = String::new();
        for (part, count) in PARTS {
            (1..=*count).for_each(|number| table.push_str(&format!("| {part} {number} | x | `a` |\n")));
        }
        assert!(complaints(&table, &tests).is_empty());
        let without = table.replace("| SUB 3 | x | `a` |", "| SUB 3 | `a` | none |");
        assert_eq!(complaints(&without, &tests), ["SUB 3 has no test"]);
        let other = table.replace("| REC 1 | x | `a` |", "| REC 1 | x | `a`, `b` |");
        assert_eq!(complaints(&other, &tests), ["REC 1: there is no test `b`"]);
        assert_eq!(complaints("", &tests).len(), 44);
    }
}
