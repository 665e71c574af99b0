//! Where a hub keeps its updates, as an operator writes it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Names a transport: `memory:`, or `file:` and a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportUrl {
    /// In memory; gone when the process ends.
    Memory,
    /// In a directory.
    File(PathBuf),
}

impl Default for TransportUrl {
    /// `file:./petasos-data`
    fn default() -> Self {
        Self::File(Path::new(".").join("petasos-data"))
    }
}

impl FromStr for TransportUrl {
    type Err = BadTransportUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("memory", "" | "//")) => Ok(Self::Memory),
            Some(("file", directory)) => match directory.strip_prefix("//") {
                // Between two slashes and the third there may be the name of a host.
                Some(path) if path.starts_with('/') => Ok(Self::File(path.into())),
                Some(_) => Err(BadTransportUrl("its directory needs one slash or three after `file:`")),
                None if directory.is_empty() => Err(BadTransportUrl("it names no directory")),
                None => Ok(Self::File(directory.into())),
            },
            _ => Err(BadTransportUrl("it must be `memory:`, or `file:` and a directory")),
        }
    }
}

impl fmt::Display for TransportUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::File(directory) => write!(f, "file:{}", directory.display()),
        }
    }
}

/// A text names no transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadTransportUrl(&'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transport_is_memory_or_a_directory() {
        for (text, directory) in [
            ("file:./petasos-data", "./petasos-data"),
            ("file:data/a b", "data/a b"),
            ("file:/var/lib/petasos", "/var/lib/petasos"),
            ("file:///var/lib/petasos", "/var/lib/petasos"),
        ] {
            assert_eq!(text.parse(), Ok(TransportUrl::File(directory.into())), "{text}");
        }
        for text in ["memory:", "memory://"] {
            assert_eq!(text.parse(), Ok(TransportUrl::Memory));
        }
        for bad in
            ["", "memory", "file:", "file://", "file://host/data", "bolt://data.db", "memory:1", "/data"]
        {
            assert!(bad.parse::<TransportUrl>().is_err(), "{bad}");
        }
        for text in ["memory:", "file:./petasos-data"] {
            assert_eq!(text.parse::<TransportUrl>().unwrap().to_string(), text);
        }
        assert_eq!(TransportUrl::default().to_string(), "file:./petasos-data");
    }
}
