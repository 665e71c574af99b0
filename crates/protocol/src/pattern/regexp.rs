//! Regular expressions that are compiled when they are first needed.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use urlpattern::RegexSyntax;
use urlpattern::regexp::RegExp;

/// A regular expression that is not compiled: the parser makes one for each component, and most are never needed.
#[derive(Debug)]
pub(crate) struct Source(Box<str>);

impl RegExp for Source {
    fn syntax() -> RegexSyntax {
        RegexSyntax::Rust
    }

    fn parse(pattern: &str, _flags: &str, _force_eval: bool) -> Result<Self, ()> {
        Ok(Self(pattern.into()))
    }

    /// The parser asks only whether a protocol pattern matches a special scheme.
    fn matches<'a>(&self, text: &'a str) -> Option<Vec<Option<&'a str>>> {
        compile(&self.0).ok().filter(|regex| regex.is_match(text)).map(|_| Vec::new())
    }

    fn pattern_string(&self) -> &str {
        &self.0
    }
}

/// A regular expression that is known to compile.
#[derive(Debug)]
pub(crate) struct Lazy {
    source: Box<str>,
    compiled: OnceLock<Option<Regex>>,
}

impl Lazy {
    /// Compiles once to see that it does, and forgets the result: many subscriptions never see a topic.
    pub(crate) fn checked(source: Source) -> Result<Self, String> {
        compile(&source.0).map_err(|error| error.to_string())?;
        Ok(Self { source: source.0, compiled: OnceLock::new() })
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        let regex = self.compiled.get_or_init(|| compile(&self.source).ok());
        regex.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

fn compile(source: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(source).size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED).build()
}

/// Bytes of memory that one compiled expression may take.
const MAX_COMPILED: usize = 256 << 10;
