//! The commands that the documentation shows are real.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::output;

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

/// The fenced blocks of a page that are marked so.
fn blocks(page: &str, mark: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(marked) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if marked == mark {
                blocks.push(body.join("\n"));
            }
        }
    }
    blocks
}

#[test]
fn what_the_guide_says_to_run_runs() {
    let guide = page("docs/how-to/run-a-hub.md");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hub.toml"), &blocks(&guide, "toml")[0]).unwrap();
    let own = PathBuf::from(env!("CARGO_BIN_EXE_petasos"));
    let path = format!("{}:{}", own.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let script = blocks(&guide, "sh").join("\n");
    let run =
        Command::new("sh").args(["-euc", &script]).current_dir(&folder).env("PATH", path).output().unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    assert!(said.contains("The configuration is good"), "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("ey")).count(), 2, "{said}");
    assert!(std::fs::metadata(folder.path().join("petasos.bash")).unwrap().len() > 1000);
}

#[test]
fn the_examples_of_the_reference_are_good() {
    let folder = tempfile::tempdir().unwrap();
    let toml = &blocks(&page("docs/reference/configuration.md"), "toml")[0];
    let key = folder.path().join("key");
    std::fs::write(&key, "a secret of at least thirty-two bytes\n").unwrap();
    let toml = toml.replace("/run/secrets/publisher-key", key.to_str().unwrap());
    let file = folder.path().join("hub.toml");
    std::fs::write(&file, toml).unwrap();
    let check = output(&["hub", "--check", "--config", file.to_str().unwrap()]);
    assert!(check.status.success(), "{check:?}");
}

#[test]
fn every_option_that_the_pages_and_the_help_name_exists() {
    let known = |command: &str| String::from_utf8(output(&[command, "--help"]).stdout).unwrap();
    let mut pages = vec![page("README.md"), page("docs/how-to/run-a-hub.md")];
    pages.extend(["hub", "publish", "subscribe", "token"].map(known));
    let mut seen = 0;
    for line in pages.iter().flat_map(|page| page.lines()) {
        let words = line.split_whitespace().skip_while(|word| *word != "petasos" && *word != "--").skip(1);
        let mut words = words.skip_while(|word| *word == "--");
        let Some(command) =
            words.next().filter(|word| ["hub", "publish", "subscribe", "token"].contains(word))
        else {
            continue;
        };
        let help = known(command);
        for option in words.filter(|word| word.starts_with("--")) {
            let option = option.split('=').next().unwrap();
            assert!(
                help.contains(&format!("{option} "))
                    || help.contains(&format!("{option}["))
                    || help.contains(&format!("{option}\n")),
                "{line}"
            );
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} options were found");
}
