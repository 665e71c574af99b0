//! The hub's configuration: a flag wins over the environment, that over the file, that over the default.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{anyhow, bail};

mod file;
pub(crate) use file::{IssuerTable, KeyTexts};
mod form;
use form::Form;
pub(crate) use form::{bytes, time};
mod given;
pub(crate) use given::{Given, arguments};
mod reference;
mod table;
pub(crate) use table::RUNNING;
use table::{Opt, TABLE};

/// All options of a hub. Each value has the form that the table asks for.
#[derive(Debug)]
pub(crate) struct Config {
    values: BTreeMap<&'static str, Value>,
    /// Issuers with keys of their own.
    pub(crate) issuers: Vec<IssuerTable>,
}

/// What an option is, and who says so.
#[derive(Clone, Debug)]
struct Value {
    texts: Vec<String>,
    source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Flag,
    Environment,
    File(String),
    Dev,
    Default,
}

impl Config {
    /// Checks the form of every value.
    ///
    /// # Errors
    /// All values that are wrong, each in a line of its own.
    fn new(values: BTreeMap<&'static str, Value>, issuers: Vec<IssuerTable>) -> anyhow::Result<Self> {
        let config = Self { values, issuers };
        let mut wrong = Vec::new();
        for opt in TABLE {
            let refused = config
                .list(opt.name)
                .iter()
                .find_map(|text| opt.form.check(text).err().map(|why| (text, why)));
            if let Some((text, reason)) = refused {
                wrong.push(config.refuse(opt, text, &reason));
            }
        }
        if wrong.is_empty() { Ok(config) } else { bail!(wrong.join("\nerror: ")) }
    }

    /// The value of an option, if it has one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.texts.first().map(String::as_str)
    }

    /// All values of an option.
    pub(crate) fn list(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], |value| &value.texts)
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// Whether nobody said anything about an option.
    pub(crate) fn is_default(&self, name: &str) -> bool {
        self.values.get(name).is_none_or(|value| matches!(value.source, Source::Default | Source::Dev))
    }

    /// A count or a number of bytes.
    pub(crate) fn size(&self, name: &str) -> anyhow::Result<usize> {
        let text = self.text(name).unwrap_or_default();
        let number = text.parse().map_err(|_| String::new()).or_else(|_| form::bytes(text));
        let number = number.map_err(|reason| self.wrong(name, &reason))?;
        usize::try_from(number).map_err(|_| self.wrong(name, "it is too large"))
    }

    /// A limit, of which 0 means none.
    pub(crate) fn limit(&self, name: &str) -> anyhow::Result<Option<usize>> {
        Ok(Some(self.size(name)?).filter(|limit| *limit > 0))
    }

    /// A time.
    pub(crate) fn time(&self, name: &str) -> anyhow::Result<Duration> {
        form::time(self.text(name).unwrap_or_default()).map_err(|reason| self.wrong(name, &reason))
    }

    /// A time, of which 0 means never.
    pub(crate) fn period(&self, name: &str) -> anyhow::Result<Option<Duration>> {
        Ok(Some(self.time(name)?).filter(|time| !time.is_zero()))
    }

    /// An error that says which option is wrong, where it was given, and what a good value is.
    pub(crate) fn wrong(&self, name: &str, reason: &str) -> anyhow::Error {
        match (table::find(name), self.text(name)) {
            (Some(opt), Some(text)) => anyhow!(self.refuse(opt, text, reason)),
            _ => anyhow!("{} cannot be used: {reason}", self.place(name)),
        }
    }

    fn refuse(&self, opt: &Opt, text: &str, reason: &str) -> String {
        let (place, example) = (self.place(opt.name), opt.form.example());
        match opt.form {
            Form::Secret => {
                format!("{place} cannot be used: {reason}; a good one is, for example, {example}")
            }
            _ => format!("{place} cannot be {text:?}: {reason}; a good one is, for example, {example}"),
        }
    }

    /// How to name an option to whoever gave it.
    pub(crate) fn place(&self, name: &str) -> String {
        let env = table::find(name).map_or("", |opt| opt.env);
        match self.values.get(name).map(|value| &value.source) {
            Some(Source::File(file)) => format!("{name} in {file}"),
            _ => format!("--{name} ({env})"),
        }
    }

    /// One line per option: what it is, and who says so. Secrets are not shown.
    pub(crate) fn explain(&self) -> String {
        let mut lines = String::new();
        for opt in TABLE {
            let value = self.values.get(opt.name);
            let shown = match value {
                None => "-".to_owned(),
                Some(_) if opt.form == Form::Secret => "(hidden)".to_owned(),
                Some(value) => value.texts.join(", "),
            };
            let source = value.map_or(&Source::Default, |value| &value.source);
            lines.push_str(&format!("{:28} {shown:40} {source}\n", opt.name));
        }
        for issuer in &self.issuers {
            lines.push_str(&format!("{:28} {:40} file\n", "issuers", issuer.name));
        }
        lines
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("command line"),
            Self::Environment => f.write_str("environment"),
            Self::File(name) => f.write_str(name),
            Self::Dev => f.write_str("--dev"),
            Self::Default => f.write_str("default"),
        }
    }
}
