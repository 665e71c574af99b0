//! The commands that the documentation shows are real.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Hub, SECRET, output};

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
fn what_the_guide_to_measuring_says_to_run_runs() {
    let guide = page("docs/how-to/measure-a-hub.md");
    let hub = Hub::start(&[]);
    let own = PathBuf::from(env!("CARGO_BIN_EXE_petasos"));
    let path = format!("{}:{}", own.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-euc", &blocks(&guide, "sh").join("\n")]).env("PATH", path);
    let run = shell.env("HUB", &hub.url).env("MERCURE_JWT_SECRET", SECRET).output().unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    // The page shows what is printed: line by line the same words, whatever the figures.
    let words = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(words(&said), words(&blocks(&guide, "text")[0]), "{said}");
    assert!(said.contains("deliveries   2000 of 2000;"), "{said}");
}

#[test]
fn what_the_readme_says_to_type_into_a_shell_works() {
    let readme = page("README.md");
    let block =
        blocks(&readme, "console").into_iter().find(|block| block.contains("petasos publish")).unwrap();
    let command = |name: &str| {
        let start = format!("$ petasos {name} ");
        block.lines().find_map(|line| line.strip_prefix(&start)).unwrap().trim_end_matches(" &").to_owned()
    };
    let options = command("hub");
    let options: Vec<&str> = options
        .split(' ')
        .map(|word| if word == "\"$MERCURE_JWT_SECRET\"" { SECRET } else { word })
        .collect();
    let hub = Hub::with(&options, &[]);
    let run = |name: &str, more: &str| {
        let line = command(name).replace("http://127.0.0.1:3000/.well-known/mercure", &hub.url);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec {} {name} {line} {more}", env!("CARGO_BIN_EXE_petasos"))]);
        shell.env_clear().env("MERCURE_JWT_SECRET", SECRET);
        shell.stdout(Stdio::piped()).stderr(Stdio::piped());
        shell.spawn().unwrap()
    };
    let mut subscriber = run("subscribe", "--count 1");
    let mut state = String::new();
    BufReader::new(subscriber.stderr.take().unwrap()).read_line(&mut state).unwrap();
    assert!(state.starts_with("subscribed"), "{state}");
    assert!(run("publish", "").wait_with_output().unwrap().status.success());
    let heard = String::from_utf8(subscriber.wait_with_output().unwrap().stdout).unwrap();
    assert!(heard.contains("{\"title\": \"Hello\"}"), "{heard}");
    assert!(run("token", "").wait_with_output().unwrap().stdout.starts_with(b"ey"));
}

#[test]
fn what_the_migration_guide_says_to_run_runs() {
    let guide = page("docs/migrate-from-mercure-rocks.md");
    let own = PathBuf::from(env!("CARGO_BIN_EXE_petasos"));
    let path = format!("{}:{}", own.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let script = blocks(&guide, "sh").join("\n");
    let run = Command::new("sh").args(["-euc", &script]).env("PATH", path).output().unwrap();
    assert!(String::from_utf8(run.stdout).unwrap().contains("The configuration is good"));
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
    let mut pages =
        vec![page("README.md"), page("docs/how-to/run-a-hub.md"), page("docs/migrate-from-mercure-rocks.md")];
    pages.extend(["history", "hub", "outbox", "publish", "subscribe", "token"].map(known));
    let mut seen = 0;
    for line in pages.iter().flat_map(|page| page.lines()) {
        let words = line.split_whitespace().skip_while(|word| *word != "petasos" && *word != "--").skip(1);
        let mut words = words.skip_while(|word| *word == "--");
        let Some(command) = words
            .next()
            .filter(|word| ["history", "hub", "outbox", "publish", "subscribe", "token"].contains(word))
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
