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

    /// Category Cf, copied from the Unicode database, version 16: an oracle that shares nothing with the code.
    const FORMAT: &[(u32, u32)] = &[
        (0xad, 0xad),
        (0x600, 0x605),
        (0x61c, 0x61c),
        (0x6dd, 0x6dd),
        (0x70f, 0x70f),
        (0x890, 0x891),
        (0x8e2, 0x8e2),
        (0x180e, 0x180e),
        (0x200b, 0x200f),
        (0x202a, 0x202e),
        (0x2060, 0x2064),
        (0x2066, 0x206f),
        (0xfeff, 0xfeff),
        (0xfff9, 0xfffb),
        (0x110bd, 0x110bd),
        (0x110cd, 0x110cd),
        (0x13430, 0x1343f),
        (0x1bca0, 0x1bca3),
        (0x1d173, 0x1d17a),
        (0xe0001, 0xe0001),
        (0xe0020, 0xe007f),
    ];

    #[test]
    fn sub_2_every_character_is_judged_by_its_category() {
        for char in '\0'..=char::MAX {
            let code = u32::from(char);
            let control = code < 0x20 || (0x7f..=0x9f).contains(&code);
            let forbidden = control || FORMAT.iter().any(|(first, last)| (*first..=*last).contains(&code));
            let mut buffer = [0; 4];
            assert_eq!(check(char.encode_utf8(&mut buffer)).is_err(), forbidden, "U+{code:04X}");
        }
    }

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
