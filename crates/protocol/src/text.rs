//! Which characters topics, ids and types may hold: none of the Unicode categories Cc (C0, DEL, C1) and Cf (format).

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

/// A control or format character where none may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForbiddenChar {
    /// The character.
    pub char: char,
    /// Where it begins, in bytes.
    pub at: usize,
}

impl fmt::Display for ForbiddenChar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the control or format character U+{:04X} at byte {}", u32::from(self.char), self.at)
    }
}

/// Finds the first character of category Cc or Cf.
pub(crate) fn check(text: &str) -> Result<(), ForbiddenChar> {
    let found = if text.is_ascii() { ascii_control(text) } else { control_or_format(text) };
    found.map_or(Ok(()), |(at, char)| Err(ForbiddenChar { char, at }))
}

/// What of `text` fits in a message.
pub(crate) fn shorten(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain("...".chars()).collect()
}

fn ascii_control(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|(_, char)| char.is_ascii_control())
}

fn control_or_format(text: &str) -> Option<(usize, char)> {
    let Some(forbidden) = FORBIDDEN.as_ref() else {
        return text.char_indices().find(|(_, char)| char.is_control());
    };
    let found = forbidden.find(text)?;
    found.as_str().chars().next().map(|char| (found.start(), char))
}

/// The categories are the regex crate's Unicode tables; the expression is constant and compiles.
static FORBIDDEN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[\p{Cc}\p{Cf}]").ok());

const SHOWN: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_2_control_and_format_characters_are_found_and_nothing_else() {
        assert!(FORBIDDEN.is_some());
        let forbidden = [
            '\0',
            '\n',
            '\x1f',
            '\x7f',
            '\u{80}',
            '\u{9f}',
            '\u{ad}',
            '\u{200b}',
            '\u{200f}',
            '\u{feff}',
            '\u{e0041}',
        ];
        for char in forbidden {
            let at = "caf\u{e9} ".len();
            assert_eq!(check(&format!("caf\u{e9} {char}")), Err(ForbiddenChar { char, at }), "{char:?}");
        }
        for text in ["", "plain", "caf\u{e9}", "\u{65e5}\u{672c}", "\u{1f409}", "a b"] {
            assert_eq!(check(text), Ok(()));
        }
    }
}
