//! The file: TOML whose keys are the names of the options.

use anyhow::{Context, bail};
use toml::{Table, Value};

use super::form::Form;
use super::table::{self, Opt, TABLE};

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct FileValues {
    pub(super) values: Vec<(&'static str, Vec<String>)>,
    pub(super) issuers: Vec<IssuerTable>,
}

/// An issuer with keys of its own; each key in the forms that the options of the same names have.
#[derive(Debug, Default)]
pub(crate) struct IssuerTable {
    pub(crate) name: String,
    pub(crate) publisher: KeyTexts,
    pub(crate) subscriber: KeyTexts,
}

/// The keys for one purpose.
#[derive(Debug, Default)]
pub(crate) struct KeyTexts {
    pub(crate) key: Option<String>,
    pub(crate) alg: Option<String>,
    pub(crate) jwks: Option<String>,
}

/// Reads a file.
///
/// # Errors
/// Where it is not TOML, or which entry is unknown or of the wrong type.
pub(super) fn parse(text: &str) -> anyhow::Result<FileValues> {
    let table: Table = text.parse().context("it is not TOML")?;
    let mut read = FileValues::default();
    for (name, value) in table {
        if name == "issuers" {
            let Value::Array(issuers) = value else { bail!("issuers must be tables: [[issuers]]") };
            read.issuers = issuers.iter().map(issuer).collect::<Result<_, _>>()?;
            continue;
        }
        let opt = known(&name)?;
        read.values.push((opt.name, texts(opt, &value)?));
    }
    Ok(read)
}

fn known(name: &str) -> anyhow::Result<&'static Opt> {
    let names = || TABLE.iter().map(|opt| opt.name).collect::<Vec<_>>().join(", ");
    table::find(name).with_context(|| {
        format!("there is no option {name:?}; known are {}, and tables [[issuers]]", names())
    })
}

fn texts(opt: &Opt, value: &Value) -> anyhow::Result<Vec<String>> {
    match value {
        Value::Array(items) if opt.many => items.iter().map(|item| text_of(opt.name, item)).collect(),
        Value::Boolean(_) => Ok(vec![text_of(opt.name, value)?]),
        _ if opt.form == Form::Switch => bail!("{} must be true or false", opt.name),
        _ => Ok(vec![text_of(opt.name, value)?]),
    }
}

fn text_of(name: &str, value: &Value) -> anyhow::Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(on) => Ok(on.to_string()),
        _ => bail!("{name} must be text or a number"),
    }
}

fn issuer(value: &Value) -> anyhow::Result<IssuerTable> {
    let table = value.as_table().context("issuers must be tables: [[issuers]]")?;
    let mut issuer = IssuerTable::default();
    for (name, value) in table {
        let text = text_of(name, value)?;
        match name.as_str() {
            "name" => issuer.name = text,
            "publisher-key" => issuer.publisher.key = Some(text),
            "publisher-key-alg" => issuer.publisher.alg = Some(text),
            "publisher-jwks" => issuer.publisher.jwks = Some(text),
            "subscriber-key" => issuer.subscriber.key = Some(text),
            "subscriber-key-alg" => issuer.subscriber.alg = Some(text),
            "subscriber-jwks" => issuer.subscriber.jwks = Some(text),
            _ => bail!(
                "[[issuers]] has no entry {name:?}; known are name, publisher-key, publisher-key-alg, publisher-jwks and the \
                 same for subscriber"
            ),
        }
    }
    if issuer.name.is_empty() {
        bail!("an entry of [[issuers]] has no name, which is what tokens have as `iss`");
    }
    Ok(issuer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_or_of_the_wrong_type_is_named() {
        for (text, expected) in [
            ("listen 1", "not TOML"),
            ("lisen = \"x\"", "lisen"),
            ("anonymous = \"yes\"", "anonymous must be true or false"),
            ("heartbeat = [1]", "heartbeat"),
            ("issuers = 1", "[[issuers]]"),
            ("[[issuers]]\npublisher-key = \"x\"", "no name"),
            ("[[issuers]]\nname = \"x\"\nkey = \"y\"", "\"key\""),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
