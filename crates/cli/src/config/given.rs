//! What was given: by flags and variables, then by the file, then by nobody.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};

use super::form::Form;
use super::table::{Opt, RUNNING, TABLE};
use super::{Config, Source, Value, file};

/// What the command line and the environment say.
#[derive(Debug, Default)]
pub(crate) struct Given {
    values: BTreeMap<&'static str, Value>,
    file: Option<PathBuf>,
}

/// Adds the options to a command.
pub(crate) fn arguments(command: clap::Command) -> clap::Command {
    let command = TABLE.iter().fold(command, |command, opt| command.arg(argument(opt)));
    let file = Arg::new(FILE).long(FILE).env("PETASOS_CONFIG").value_name("FILE").help_heading(RUNNING);
    let file = file.value_parser(clap::value_parser!(PathBuf)).hide_env_values(true);
    command.arg(file.help("TOML file with any of these options, without the dashes"))
}

fn argument(opt: &'static Opt) -> Arg {
    let help = match (opt.form, opt.default) {
        (Form::Switch, _) | (_, "") => opt.help.to_owned(),
        (_, default) => format!("{} [default: {default}]", opt.help),
    };
    let arg = Arg::new(opt.name).long(opt.name).env(opt.env).value_name(opt.form.placeholder()).help(help);
    // A negative number is refused as a value, with an example, and not as an unknown flag.
    let arg = arg.help_heading(opt.group).hide_env_values(true).allow_negative_numbers(true);
    match opt.form {
        Form::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        _ if opt.many => arg.action(ArgAction::Append),
        _ => arg,
    }
}

impl Given {
    /// Takes what clap has found.
    pub(crate) fn from_matches(matches: &ArgMatches) -> Self {
        let mut values = BTreeMap::new();
        for opt in TABLE {
            let texts = matches.get_many::<String>(opt.name).into_iter().flatten().map(String::as_str);
            let (texts, source) = match matches.value_source(opt.name) {
                // Words hold no commas, so several may stand in one flag.
                Some(ValueSource::CommandLine) if matches!(opt.form, Form::Choice(_)) => {
                    (variable(opt, texts), Source::Flag)
                }
                Some(ValueSource::CommandLine) => {
                    (texts.map(|text| normal(opt, text)).collect(), Source::Flag)
                }
                Some(ValueSource::EnvVariable) => (variable(opt, texts), Source::Environment),
                _ => continue,
            };
            if !texts.is_empty() {
                values.insert(opt.name, Value { texts, source });
            }
        }
        Self { values, file: matches.get_one::<PathBuf>(FILE).cloned() }
    }

    /// Adds what the file and the defaults say, and checks all of it.
    ///
    /// # Errors
    /// If the file cannot be read, is no TOML, or names something unknown; or if values have not the form they should.
    pub(crate) fn complete(self) -> anyhow::Result<Config> {
        let (mut values, mut issuers) = (self.values, Vec::new());
        if let Some(path) = &self.file {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("--config (PETASOS_CONFIG): {name} cannot be read"))?;
            let read = file::parse(&text).with_context(|| format!("--config (PETASOS_CONFIG): {name}"))?;
            issuers = read.issuers;
            for (option, texts) in read.values {
                values.entry(option).or_insert(Value { texts, source: Source::File(name.clone()) });
            }
        }
        let dev = values.get("dev").is_some_and(|value| value.texts == ["true"]);
        for opt in TABLE {
            let (text, source) = match (opt.dev, opt.default) {
                (text, _) if dev && !text.is_empty() => (text, Source::Dev),
                (_, "") => continue,
                (_, text) => (text, Source::Default),
            };
            values.entry(opt.name).or_insert_with(|| Value { texts: vec![text.to_owned()], source });
        }
        Config::new(values, issuers)
    }
}

/// A variable that is set to nothing says nothing.
fn variable<'a>(opt: &Opt, texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let split = |text: &'a str| match opt.many {
        true => text.split(',').map(str::trim).collect(),
        false => vec![text],
    };
    texts.flat_map(split).filter(|text| !text.is_empty()).map(|text| normal(opt, text)).collect()
}

/// A switch has several spellings.
fn normal(opt: &Opt, text: &str) -> String {
    match text {
        "1" | "yes" | "on" if opt.form == Form::Switch => "true".to_owned(),
        "0" | "no" | "off" if opt.form == Form::Switch => "false".to_owned(),
        _ => text.to_owned(),
    }
}

const FILE: &str = "config";

#[cfg(test)]
mod tests {
    use super::*;

    fn given(args: &[&str]) -> Given {
        let command = arguments(clap::Command::new("test").no_binary_name(true));
        Given::from_matches(&command.try_get_matches_from(args).unwrap())
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.toml");
        let text = "listen = \"127.0.0.1:1\"\nheartbeat = 7\nanonymous = true\ncors-origin = [\"https://a\", \"https://b\"]\n\
                    [[issuers]]\nname = \"https://idp.example\"\npublisher-jwks = \"https://idp.example/jwks\"\n";
        std::fs::write(&path, text).unwrap();
        let config = ["--config", path.to_str().unwrap(), "--heartbeat", "8", "--anonymous=false"];
        let config = given(&config).complete().unwrap();
        assert_eq!(config.text("listen"), Some("127.0.0.1:1"));
        assert_eq!(config.time("heartbeat").unwrap().as_secs(), 8);
        assert!(!config.is_on("anonymous") && config.is_default("max-body"));
        assert_eq!(config.list("cors-origin"), ["https://a", "https://b"]);
        assert_eq!(config.issuers[0].name, "https://idp.example");
        assert!(config.place("listen").contains("hub.toml"));
        assert_eq!(config.place("heartbeat"), "--heartbeat (PETASOS_HEARTBEAT)");
    }

    #[test]
    fn dev_changes_defaults_and_nothing_that_was_said() {
        let config = given(&["--dev", "--subscriptions=no"]).complete().unwrap();
        assert!(config.is_on("dev") && config.is_on("anonymous") && !config.is_on("subscriptions"));
        assert!(config.is_default("anonymous") && !config.is_default("subscriptions"));
        assert!(
            config.explain().lines().any(|line| line.starts_with("anonymous") && line.ends_with("--dev"))
        );
        assert!(!given(&[]).complete().unwrap().is_on("anonymous"));
    }

    #[test]
    fn nobody_shows_a_secret() {
        let config = given(&["--publisher-key", "hush-hush"]).complete().unwrap();
        let shown = format!("{}{}", config.explain(), config.wrong("publisher-key", "it is bad"));
        assert!(!shown.contains("hush-hush") && shown.contains("publisher-key"), "{shown}");
    }

    #[test]
    fn every_value_of_a_wrong_form_is_named_with_an_example_of_a_good_one() {
        for opt in TABLE {
            let texts = ["", "\u{7f}nonsense"].map(|text| format!("--{}={text}", opt.name));
            let errors = texts.map(|text| given(&[&text]).complete().err().map(|error| error.to_string()));
            let error = errors.into_iter().flatten().next().unwrap();
            assert!(error.contains(&format!("--{} ({})", opt.name, opt.env)), "{error}");
            assert!(error.ends_with(opt.form.example()), "{error}");
        }
        let two = given(&["--heartbeat", "soon", "--listen", "here"]).complete().unwrap_err().to_string();
        assert_eq!(two.lines().count(), 2, "{two}");
        assert!(two.contains("\"soon\"") && two.contains("\"here\""), "{two}");
    }

    #[test]
    fn a_variable_holds_several_values_with_commas_between() {
        let opt = TABLE.iter().find(|opt| opt.many).unwrap();
        assert_eq!(variable(opt, ["a, b,,c"].into_iter()), ["a", "b", "c"]);
        assert_eq!(variable(opt, [""].into_iter()), [""; 0]);
    }
}
