//! One component of a pattern, as small as it can be.

use urlpattern::matcher::{InnerMatcher, Matcher};

use super::PatternError;
use super::regexp::{Lazy, Source};

/// Matches one component of a URL: a literal beginning, a literal end, and something in between.
pub(crate) struct Component {
    prefix: Box<str>,
    suffix: Box<str>,
    inner: Inner,
}

enum Inner {
    /// Nothing but the prefix and the suffix.
    Nothing,
    /// Anything without this character.
    Capture { filter: Option<char>, allow_empty: bool },
    /// What a regular expression matches.
    RegExp(Box<Lazy>),
}

impl Component {
    /// Takes what the parser built.
    pub(crate) fn reduce(matcher: Matcher<Source>) -> Result<Self, PatternError> {
        let mut prefix = matcher.prefix;
        let inner = match matcher.inner {
            InnerMatcher::Literal { literal } => {
                prefix.push_str(&literal);
                Inner::Nothing
            }
            InnerMatcher::SingleCapture { filter, allow_empty } => Inner::Capture { filter, allow_empty },
            InnerMatcher::RegExp { regexp } => {
                let source = regexp.map_err(|error| PatternError::new(&error))?;
                Inner::RegExp(Box::new(Lazy::checked(source).map_err(PatternError)?))
            }
        };
        Ok(Self { prefix: prefix.into(), suffix: matcher.suffix.into(), inner })
    }

    pub(crate) fn matches_everything(&self) -> bool {
        let is_free = matches!(self.inner, Inner::Capture { filter: None, allow_empty: true });
        is_free && self.prefix.is_empty() && self.suffix.is_empty()
    }

    /// The only string that it matches, if there is only one.
    pub(crate) fn literal(&self) -> Option<String> {
        matches!(self.inner, Inner::Nothing).then(|| format!("{}{}", self.prefix, self.suffix))
    }

    /// What every string begins with that it matches.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn matches(&self, input: &str) -> bool {
        let Some(rest) = strip_prefix(input, &self.prefix) else { return false };
        let Some(middle) = strip_suffix(rest, &self.suffix) else { return false };
        match &self.inner {
            Inner::Nothing => middle.is_empty(),
            Inner::Capture { filter, allow_empty } => {
                (*allow_empty || !middle.is_empty()) && filter.is_none_or(|filter| !middle.contains(filter))
            }
            Inner::RegExp(regexp) => regexp.is_match(middle),
        }
    }
}

/// Looks at the length first: comparing empty strings through libc costs more than the whole walk.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    if prefix.is_empty() { Some(text) } else { text.strip_prefix(prefix) }
}

fn strip_suffix<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    if suffix.is_empty() { Some(text) } else { text.strip_suffix(suffix) }
}
