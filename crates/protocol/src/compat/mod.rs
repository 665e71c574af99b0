//! The two earlier generations of the protocol, turned into the one model that the rest of a hub knows.
//!
//! Which generation a request belongs to is decided here and nowhere else:
//! - a subscription by its parameters: `topic` is earlier, `match` and its kin are 1.0;
//! - a token by its header and claims: an access token (`at+jwt`) is 1.0, another one with a `mercure` claim is earlier;
//! - a publish by its token, then by its form: see [`admit`].
//!
//! What comes out are matchers, grants and updates like all others. An update for certain targets has an audience
//! ([`Update::audience`]): grants are then compared with the targets instead of the topics, whatever generation the
//! subscriber's token is of.
//!
//! [`Update::audience`]: crate::Update::audience

use std::fmt;
use std::str::FromStr;

mod claims;
pub use claims::is_earlier_token;
pub(crate) use claims::parse as parse_claims;
mod publish;
pub use publish::{PublishRefusal, admit};
mod subscriptions;
pub use subscriptions::{EarlierSubscription, EarlierSubscriptionPath, EarlierSubscriptions};
mod uri_template;
pub use uri_template::UriTemplate;

use crate::text;

/// A generation of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Generation {
    /// The one that is specified now.
    #[default]
    Current,
    /// Hubs 0.10 to 0.24: topic selectors and the `mercure` claim.
    Selectors,
    /// Hubs up to 0.9: the `target` field.
    Targets,
}

impl Generation {
    /// Its name in options and documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "1.0",
            Self::Selectors => "selectors",
            Self::Targets => "targets",
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Generation {
    type Err = GenerationError;

    fn from_str(name: &str) -> Result<Self, GenerationError> {
        let known = [Self::Current, Self::Selectors, Self::Targets];
        known
            .into_iter()
            .find(|known| known.as_str() == name)
            .ok_or_else(|| GenerationError(text::shorten(name)))
    }
}

/// A name is none of a generation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no generation of the protocol; there are \"1.0\", \"selectors\" and \"targets\"")]
pub struct GenerationError(String);

/// Which earlier generations are served beside 1.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compat {
    /// Hubs 0.10 to 0.24.
    pub selectors: bool,
    /// Hubs up to 0.9.
    pub targets: bool,
}

impl Compat {
    /// This and one more generation; 1.0 is always served.
    #[must_use]
    pub fn with(self, generation: Generation) -> Self {
        match generation {
            Generation::Current => self,
            Generation::Selectors => Self { selectors: true, ..self },
            Generation::Targets => Self { targets: true, ..self },
        }
    }

    /// Whether any is.
    #[must_use]
    pub fn any(self) -> bool {
        self.selectors || self.targets
    }
}

impl FromIterator<Generation> for Compat {
    fn from_iter<I: IntoIterator<Item = Generation>>(generations: I) -> Self {
        generations.into_iter().fold(Self::default(), Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_have_names() {
        for name in ["1.0", "selectors", "targets"] {
            assert_eq!(name.parse::<Generation>().unwrap().to_string(), name);
        }
        let error = "0.9".parse::<Generation>().unwrap_err().to_string();
        assert!(error.contains("\"0.9\"") && error.contains("selectors"), "{error}");
        let both: Compat = [Generation::Targets, Generation::Selectors].into_iter().collect();
        assert_eq!(both, Compat { selectors: true, targets: true });
        assert!(!Compat::default().with(Generation::Current).any());
    }
}
