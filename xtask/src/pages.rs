//! The handbook holds together: every link between its pages leads somewhere, and every page is found from its index.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};

/// Reads every page and follows its links.
///
/// # Errors
/// Every link that leads nowhere, and every page of `docs/` that its index does not name.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let mut pages = Vec::new();
    collect(root, Path::new(""), &mut pages)?;
    let mut wrong = Vec::new();
    for page in &pages {
        let text = std::fs::read_to_string(root.join(page))
            .with_context(|| format!("{} cannot be read", page.display()))?;
        for link in links(&text) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if target.is_empty() { page.clone() } else { resolve(page, target) };
            if let Some(complaint) = follow(root, &target, anchor)? {
                wrong.push(format!("{}: {link}: {complaint}", page.display()));
            }
        }
    }
    wrong.extend(unlisted(root, &pages)?);
    if wrong.is_empty() {
        println!("the links of {} pages lead somewhere", pages.len());
        return Ok(());
    }
    bail!("pages:\n  {}", wrong.join("\n  "))
}

/// The pages of a folder and of those below it, relative to the root.
fn collect(root: &Path, folder: &Path, pages: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = folder.join(&name);
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && !OTHERS.contains(&name.as_str()) {
                collect(root, &path, pages)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(())
}

/// Where the links of a page go, as far as they stay in the repository. Code is none.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("](") {
            let end = after.find(')').unwrap_or(after.len());
            let target = after[..end].split(' ').next().unwrap_or_default();
            // `array[0](1)`
            let code = before.rsplit('[').nth(1).is_some_and(|before| before.matches('`').count() % 2 == 1);
            if !code && !target.contains("://") && !target.starts_with("mailto:") {
                links.push(target);
            }
            rest = &after[end..];
        }
    }
    links
}

fn resolve(page: &Path, target: &str) -> PathBuf {
    let mut path = page.parent().unwrap_or(Path::new("")).to_path_buf();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    path
}

/// What is wrong with a link, if anything.
fn follow(root: &Path, target: &Path, anchor: &str) -> anyhow::Result<Option<String>> {
    let path = root.join(target);
    if !path.exists() {
        return Ok(Some("there is no such file".to_owned()));
    }
    if anchor.is_empty() || path.extension().is_none_or(|extension| extension != "md") {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path)?;
    let found = text.lines().filter(|line| line.starts_with('#')).any(|line| anchor_of(line) == anchor);
    Ok((!found).then(|| "there is no such heading".to_owned()))
}

/// The anchor that a heading gets.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
    kept.map(|char| if char == ' ' { '-' } else { char }).collect()
}

fn unlisted(root: &Path, pages: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let index = Path::new("docs/README.md");
    let text = std::fs::read_to_string(root.join(index)).context("docs/README.md is missing")?;
    let listed: BTreeSet<PathBuf> = links(&text).iter().map(|link| resolve(index, link)).collect();
    let handbook = pages.iter().filter(|page| page.starts_with("docs") && *page != index);
    let missing = handbook.filter(|page| !listed.contains(*page));
    Ok(missing.map(|page| format!("docs/README.md does not name {}", page.display())).collect())
}

/// Folders that hold other people's pages.
const OTHERS: &[&str] = &["artifacts", "corpus", "data", "dist", "node_modules", "target"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_of_code() {
        let text = "See [one](a.md), [`two`](b/c.md#d-e) and ![three](x.png \"title\").\n\
                    ```\n[not](this.md)\n```\n[far](https://example.com/x.md) `array[0](1)`\n[here](#top)";
        assert_eq!(links(text), ["a.md", "b/c.md#d-e", "x.png", "#top"]);
    }

    #[test]
    fn links_are_relative_to_their_page() {
        let page = Path::new("docs/how-to/run.md");
        assert_eq!(resolve(page, "../reference/x.md"), Path::new("docs/reference/x.md"));
        assert_eq!(resolve(page, "./y.md"), Path::new("docs/how-to/y.md"));
        assert_eq!(anchor_of("## Key sets & `more`"), "key-sets--more");
    }

    #[test]
    fn what_leads_nowhere_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("docs")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("docs/README.md", "[one](one.md)");
        write("docs/one.md", "# One\n[up](../README.md#two) [self](#one)");
        write("README.md", "# Two");
        check(folder.path()).unwrap();
        write("README.md", "[gone](docs/gone.md)");
        write("docs/other.md", "");
        let said = check(folder.path()).unwrap_err().to_string();
        for expected in ["gone.md: there is no such file", "#two: there is no such heading", "docs/other.md"]
        {
            assert!(said.contains(expected), "{said}");
        }
    }
}
