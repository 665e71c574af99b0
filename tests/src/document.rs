//! A page of the handbook as the steps that its reader takes.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// What a reader does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Types a command, and is answered so.
    Type { command: String, answer: Vec<String> },
    /// Writes a file, or a part of one.
    Write { path: String, text: String, how: How },
    /// Looks at the terminal that listens, and finds these lines.
    Hear(Vec<String>),
    /// Opens each of these in a window of the browser.
    Open(Vec<String>),
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It is this.
    Whole,
    /// This stands where a line was that begins alike, up to its first parenthesis.
    InPlace,
    /// This comes after what there is.
    Behind,
}

/// The blocks of a page that are in this language.
///
/// # Errors
/// If there is no such page, or it has none.
pub fn blocks(page: &str, language: &str) -> anyhow::Result<Vec<String>> {
    let page = std::fs::read_to_string(root()?.join(page))?;
    let start = format!("```{language}\n");
    let blocks: Vec<String> =
        page.split(&start).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect();
    ensure!(!blocks.is_empty(), "the page has no block of {language}");
    Ok(blocks)
}

/// The root of the workspace.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.map(Path::to_path_buf).context("the tests stand in no workspace")
}

/// The steps of the section whose heading begins so.
pub(crate) fn steps(page: &str, heading: &str) -> Vec<Step> {
    let mut lines = page.lines().skip_while(|line| !is_heading(line, heading)).skip(1);
    let (mut steps, mut paragraph, mut is_over) = (Vec::new(), String::new(), false);
    while let Some(line) = lines.next() {
        if line.starts_with("## ") {
            break;
        }
        if let Some(language) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            steps.extend(block_steps(language, &block, &paragraph));
            paragraph.clear();
        } else if line.is_empty() && !is_over {
            // Kept, because a block after it may ask what it said.
            steps.extend(opened(&paragraph));
            is_over = true;
        } else if !line.is_empty() {
            if std::mem::take(&mut is_over) {
                paragraph.clear();
            }
            paragraph.push_str(line);
            paragraph.push(' ');
        }
    }
    steps
}

/// Whether a line is as the page shows it, where `...` stands for anything.
pub(crate) fn is_like(shown: &str, line: &str) -> bool {
    let mut parts = shown.split("...");
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        let Some(place) = rest.find(part) else { return false };
        rest = &rest[place + part.len()..];
        last = Some(part);
    }
    rest.is_empty() || last == Some("")
}

fn is_heading(line: &str, heading: &str) -> bool {
    line.strip_prefix("## ").is_some_and(|text| text.starts_with(heading))
}

fn block_steps(language: &str, block: &[&str], paragraph: &str) -> Vec<Step> {
    match language {
        "console" => typed(block),
        "text" => vec![Step::Hear(block.iter().map(|line| (*line).to_owned()).collect())],
        _ => vec![written(block, paragraph)],
    }
}

fn typed(block: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step::Type { command: command.to_owned(), answer: Vec::new() });
        } else if let Some(Step::Type { answer, .. }) = steps.last_mut()
            && *line != "..."
        {
            answer.push((*line).to_owned());
        }
    }
    steps
}

/// The file is the last one that the paragraph before it names.
fn written(block: &[&str], paragraph: &str) -> Step {
    let named = paragraph.split('`').skip(1).step_by(2);
    let path = named.filter(|name| *name == "Cargo.toml" || name.starts_with("src/")).last();
    let how = match paragraph {
        _ if block.len() <= 2 => How::InPlace,
        behind if behind.contains("Add to the end of") => How::Behind,
        _ => How::Whole,
    };
    Step::Write { path: path.unwrap_or_default().to_owned(), text: block.join("\n"), how }
}

fn opened(paragraph: &str) -> Option<Step> {
    paragraph.strip_prefix("Open <")?;
    let urls = paragraph.split('<').skip(1).filter_map(|rest| rest.split('>').next());
    Some(Step::Open(urls.map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_taken_apart_step_by_step() {
        let page = "## 1. One\n\nText. Write `src/a.rs`:\n\n```rust\nfn a(1)\nb\nc\n```\n\n\
                    ```console\n$ one\n...\nanswer\n$ two\n```\nOpen <http://x/> and <http://y/>\nnow.\n\n## 2. Two\n\
                    See `src/a.rs` and `more`:\n```rust\nfn a(2)\n```\nAdd to the end of `src/a.rs`:\n```rust\nx\ny\nz\n```\n\
                    ```text\ndata: 1\n```\n";
        let write = |text: &str, how| Step::Write { path: "src/a.rs".to_owned(), text: text.to_owned(), how };
        let type_in = |command: &str, answer: &[&str]| Step::Type {
            command: command.to_owned(),
            answer: answer.iter().map(|line| (*line).to_owned()).collect(),
        };
        let expected = [
            write("fn a(1)\nb\nc", How::Whole),
            type_in("one", &["answer"]),
            type_in("two", &[]),
            Step::Open(vec!["http://x/".to_owned(), "http://y/".to_owned()]),
        ];
        assert_eq!(steps(page, "1."), expected);
        let expected = [
            write("fn a(2)", How::InPlace),
            write("x\ny\nz", How::Behind),
            Step::Hear(vec!["data: 1".to_owned()]),
        ];
        assert_eq!(steps(page, "2."), expected);
    }

    #[test]
    fn dots_stand_for_anything() {
        for (shown, line) in
            [("abc", "abc"), ("a...c", "abbc"), ("...c", "abc"), ("a...", "abc"), ("a...b...c", "axbxc")]
        {
            assert!(is_like(shown, line), "{shown} {line}");
        }
        for (shown, line) in [("abc", "abcd"), ("a...c", "acd"), ("...c", "cd"), ("b...", "abc")] {
            assert!(!is_like(shown, line), "{shown} {line}");
        }
    }
}
