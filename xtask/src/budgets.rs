//! Sizes: small files, small functions, plain ASCII.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::lexer;

/// Lines of a file, tests left out.
const FILE: usize = 500;
/// Lines of a function.
const FUNCTION: usize = 80;
/// Lines that nine of ten functions of a crate stay within.
const MOST_FUNCTIONS: usize = 25;

/// Measures every crate.
///
/// # Errors
/// Everything that is too large.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for folder in source_folders(root)? {
        let mut lengths = Vec::new();
        for file in rust_files(&folder)? {
            let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
            let measured = measure(&std::fs::read_to_string(&file)?);
            wrong.extend(measured.complaints.into_iter().map(|complaint| format!("{name}{complaint}")));
            lengths.extend(measured.functions);
        }
        lengths.sort_unstable();
        let most = lengths.get(lengths.len() * 9 / 10).copied().unwrap_or_default();
        if most > MOST_FUNCTIONS {
            wrong.push(format!(
                "{}: nine of ten functions have up to {most} lines; {MOST_FUNCTIONS} are allowed",
                folder.display()
            ));
        }
    }
    if wrong.is_empty() {
        println!("files and functions are within their budgets");
        return Ok(());
    }
    bail!("beyond the budget:\n  {}", wrong.join("\n  "))
}

struct Measured {
    complaints: Vec<String>,
    functions: Vec<usize>,
}

fn measure(text: &str) -> Measured {
    let mut complaints = Vec::new();
    if let Some(line) = text.lines().position(|line| !line.is_ascii()) {
        complaints.push(format!(":{}: not ASCII", line + 1));
    }
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().count();
    if lines > FILE {
        complaints.push(format!(": {lines} lines without tests; {FILE} are allowed"));
    }
    let functions = lexer::functions(&lexer::blank(code));
    for (name, line, length) in functions.iter().filter(|(_, _, length)| *length > FUNCTION) {
        complaints.push(format!(":{line}: `{name}` has {length} lines; {FUNCTION} are allowed"));
    }
    Measured { complaints, functions: functions.into_iter().map(|(_, _, length)| length).collect() }
}

/// The `src` folders of the workspace.
fn source_folders(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = vec![root.join("xtask/src"), root.join("benches/src")];
    for parent in ["crates", "examples"] {
        for entry in std::fs::read_dir(root.join(parent))? {
            folders.push(entry?.path().join("src"));
        }
    }
    folders.retain(|folder| folder.is_dir());
    folders.sort();
    Ok(folders)
}

/// Every Rust file under a folder, test modules in files of their own left out.
pub(crate) fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_name().is_some_and(|name| name != "tests.rs")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_named_and_tests_do_not_count() {
        let long = format!("fn long() {{\n{}}}\n", "  x();\n".repeat(80));
        let measured = measure(&long);
        assert_eq!(measured.complaints, [":1: `long` has 82 lines; 80 are allowed"]);
        let tested = format!("fn short() {{}}\n\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert!(measure(&tested).complaints.is_empty());
        assert_eq!(measure(&"\n".repeat(501)).complaints.len(), 1);
        assert_eq!(measure("// caf\u{e9}").complaints, [":1: not ASCII"]);
    }
}
