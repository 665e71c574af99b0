//! What the value of an option may be: how it is called in the help, how it is checked, and what a good one looks like.

use std::net::SocketAddr;
use std::time::Duration;

use petasos_hub::Algorithm;
use petasos_hub::transport::TransportUrl;
use petasos_protocol::HubUrl;

/// The form of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An IP address and a port.
    Address,
    /// The same, or `off`.
    AddressOrOff,
    /// Name of an algorithm that signs tokens.
    Algorithm,
    /// A number of bytes, with or without a unit.
    Bytes,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A whole number of something, at least this one.
    Count(u64),
    /// URL of a hub.
    HubUrl,
    /// Place of a key set: a URL or a file.
    KeySet,
    /// Origin of a page, or `*`.
    Origin,
    /// A secret or a key; never shown.
    Secret,
    /// On or off.
    Switch,
    /// Any text: what stands for it in the help, and an example.
    Text(&'static str, &'static str),
    /// A time, in seconds or with a unit.
    Time,
    /// Where updates are kept.
    Transport,
}

impl Form {
    /// What stands for the value in the help.
    pub(crate) fn placeholder(self) -> String {
        match self {
            Self::Address => "ADDRESS",
            Self::AddressOrOff => "ADDRESS|off",
            Self::Algorithm => "ALG",
            Self::Bytes => "BYTES",
            Self::Choice(words) => return words.join("|"),
            Self::Count(_) => "N",
            Self::HubUrl => "URL",
            Self::KeySet => "URL|FILE",
            Self::Origin => "ORIGIN",
            Self::Secret => "KEY",
            Self::Switch => "true|false",
            Self::Text(name, _) => name,
            Self::Time => "TIME",
            Self::Transport => "file:DIR|memory:",
        }
        .to_owned()
    }

    /// A good value.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Address | Self::AddressOrOff => "127.0.0.1:3000",
            Self::Algorithm => "HS256",
            Self::Bytes => "1MiB",
            Self::Choice(words) => words.first().copied().unwrap_or_default(),
            Self::Count(_) => "100",
            Self::HubUrl => "https://example.com/.well-known/mercure",
            Self::KeySet => "https://login.example.com/.well-known/jwks.json",
            Self::Origin => "https://example.com",
            Self::Secret => "what `openssl rand -base64 48` prints",
            Self::Switch => "true",
            Self::Text(_, example) => example,
            Self::Time => "40s",
            Self::Transport => "file:./petasos-data",
        }
    }

    /// Checks a value.
    ///
    /// # Errors
    /// What is wrong with it, without the value itself.
    pub(crate) fn check(self, text: &str) -> Result<(), String> {
        match self {
            Self::AddressOrOff if text == "off" => Ok(()),
            Self::Address | Self::AddressOrOff => {
                text.parse::<SocketAddr>().map(drop).map_err(|_| "it is not an address and a port".to_owned())
            }
            Self::Algorithm => text.parse::<Algorithm>().map(drop).map_err(|error| error.to_string()),
            Self::Bytes => bytes(text).map(drop),
            Self::Choice(words) if words.contains(&text) => Ok(()),
            Self::Choice(words) => Err(format!("it must be {}", words.join(" or "))),
            Self::Count(least) => count(text, least),
            Self::HubUrl => HubUrl::parse(text).map(drop).map_err(|error| error.to_string()),
            Self::Origin => origin(text),
            Self::Switch if matches!(text, "true" | "false") => Ok(()),
            Self::Switch => Err("it must be true or false".to_owned()),
            Self::KeySet | Self::Secret | Self::Text(..) if text.is_empty() => Err("it is empty".to_owned()),
            Self::KeySet | Self::Secret | Self::Text(..) => Ok(()),
            Self::Time => time(text).map(drop),
            Self::Transport => text.parse::<TransportUrl>().map(drop).map_err(|error| error.to_string()),
        }
    }
}

/// Reads a time.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let units = [("", 1000), ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let milliseconds =
        scaled(text, &units).ok_or("it is not a whole number of seconds, or of ms, s, m, h or d")?;
    Ok(Duration::from_millis(milliseconds))
}

/// Reads a number of bytes.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let units = [("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    scaled(text, &units).ok_or_else(|| "it is not a whole number of bytes, KiB, MiB or GiB".to_owned())
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

fn count(text: &str, least: u64) -> Result<(), String> {
    match text.parse::<u64>() {
        Ok(number) if number >= least => Ok(()),
        Ok(_) => Err(format!("it must be at least {least}")),
        Err(_) => Err("it is not a whole number".to_owned()),
    }
}

/// An origin as a browser writes it: anything else would never be found equal to one.
fn origin(text: &str) -> Result<(), String> {
    if text == "*" {
        return Ok(());
    }
    let own = HubUrl::parse(text).map_err(|error| error.to_string())?.origin();
    if own == text { Ok(()) } else { Err(format!("browsers call this origin {own}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_have_units() {
        for (text, expected) in
            [("40", 40_000), ("250ms", 250), ("40 s", 40_000), ("2m", 120_000), ("7d", 604_800_000)]
        {
            assert_eq!(time(text), Ok(Duration::from_millis(expected)), "{text}");
        }
        for (text, expected) in
            [("0", 0), ("64KiB", 65_536), ("1 MiB", 1 << 20), ("2GiB", 2 << 30), ("7B", 7)]
        {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for bad in ["", "s", "-1", "1.5", "1w", "1 0", "99999999999999999999", "18446744073709551615d"] {
            assert!(time(bad).is_err() && bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_form_takes_its_own_example_and_refuses_nothing() {
        let forms = [
            Form::Address,
            Form::AddressOrOff,
            Form::Algorithm,
            Form::Bytes,
            Form::Choice(&["a", "b"]),
            Form::Count(1),
            Form::HubUrl,
            Form::KeySet,
            Form::Origin,
            Form::Secret,
            Form::Switch,
            Form::Text("NAME", "x"),
            Form::Time,
            Form::Transport,
        ];
        for form in forms {
            assert_eq!(form.check(form.example()), Ok(()), "{form:?}");
            assert!(form.check("").is_err() && !form.placeholder().is_empty(), "{form:?}");
        }
        assert_eq!(Form::AddressOrOff.check("off"), Ok(()));
        assert!(Form::Address.check("off").is_err() && Form::Count(1).check("0").is_err());
    }

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for good in ["*", "https://example.com", "http://127.0.0.1:8000"] {
            assert_eq!(origin(good), Ok(()), "{good}");
        }
        for bad in [
            "https://example.com/",
            "https://example.com:443",
            "HTTPS://example.com",
            "example.com",
            "ftp://x",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
