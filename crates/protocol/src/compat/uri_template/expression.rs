//! Expressions of a template: an operator and its variables (RFC 6570 sections 2.2 to 2.4, and the table of appendix A).

use super::Places;

/// What stands between braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expression {
    operator: Operator,
    /// Invariant: not empty.
    variables: Box<[Variable]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Simple,
    Reserved,
    Fragment,
    Label,
    Path,
    Parameter,
    Query,
    Continuation,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Variable {
    name: Box<str>,
    modifier: Modifier,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Modifier {
    None,
    /// At most so many characters of a string.
    Prefix(u16),
    /// Each member of a list or an associative array for itself.
    Explode,
}

/// Bytes that a value may be made of besides percent-encoded ones: unreserved ones, with some operators also reserved ones,
/// and the comma between the members of a list.
#[derive(Clone, Copy)]
struct Alphabet {
    reserved: bool,
    comma: bool,
}

impl Expression {
    pub(super) fn variables(&self) -> usize {
        self.variables.len()
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (operator, rest) = Operator::parse(text);
        let variables: Option<Box<[Variable]>> = rest.split(',').map(Variable::parse).collect();
        Some(Self { operator, variables: variables? })
    }

    /// Where an expansion that begins at one of `places` may end.
    pub(super) fn ends(&self, places: &Places, text: &[u8]) -> Places {
        let (first, separator) = (self.operator.first(), self.operator.separator());
        let mut ends = Places::none(text.len());
        if self.operator.vanishes() {
            // All variables are undefined.
            ends.add(places);
        }
        // Undefined variables are left out with their separators, so each variable may follow any earlier one.
        let mut starts = places.after(first.as_bytes(), text);
        for variable in &self.variables {
            let own = variable.ends(self.operator, &starts, text);
            starts.add(&own.after(separator.as_bytes(), text));
            ends.add(&own);
        }
        ends
    }
}

impl Operator {
    fn parse(text: &str) -> (Self, &str) {
        let operator = match text.as_bytes().first() {
            Some(b'+') => Self::Reserved,
            Some(b'#') => Self::Fragment,
            Some(b'.') => Self::Label,
            Some(b'/') => Self::Path,
            Some(b';') => Self::Parameter,
            Some(b'?') => Self::Query,
            Some(b'&') => Self::Continuation,
            _ => return (Self::Simple, text),
        };
        (operator, &text[1..])
    }

    fn first(self) -> &'static str {
        match self {
            Self::Simple | Self::Reserved => "",
            Self::Fragment => "#",
            Self::Label => ".",
            Self::Path => "/",
            Self::Parameter => ";",
            Self::Query => "?",
            Self::Continuation => "&",
        }
    }

    fn separator(self) -> &'static str {
        match self {
            Self::Simple | Self::Reserved | Self::Fragment => ",",
            Self::Query | Self::Continuation => "&",
            other => other.first(),
        }
    }

    /// Whether names are written before values.
    fn is_named(self) -> bool {
        matches!(self, Self::Parameter | Self::Query | Self::Continuation)
    }

    /// Whether the expression may come to nothing. A query that was asked for must be there: `{?x}` selects `?x=...` only.
    fn vanishes(self) -> bool {
        !matches!(self, Self::Query | Self::Continuation)
    }

    fn is_reserved(self) -> bool {
        matches!(self, Self::Reserved | Self::Fragment)
    }

    fn item(self) -> Alphabet {
        Alphabet { reserved: self.is_reserved(), comma: false }
    }

    fn list(self) -> Alphabet {
        Alphabet { reserved: self.is_reserved(), comma: true }
    }
}

impl Variable {
    fn parse(text: &str) -> Option<Self> {
        let (name, modifier) = if let Some(name) = text.strip_suffix('*') {
            (name, Modifier::Explode)
        } else if let Some((name, length)) = text.split_once(':') {
            (name, Modifier::Prefix(prefix_length(length)?))
        } else {
            (text, Modifier::None)
        };
        is_name(name).then(|| Self { name: name.into(), modifier })
    }

    fn ends(&self, operator: Operator, starts: &Places, text: &[u8]) -> Places {
        match (self.modifier, operator.is_named()) {
            (Modifier::Explode, named) => exploded(operator, named, starts, text),
            (modifier, false) => value(operator, modifier, starts, text),
            (modifier, true) => {
                let named = starts.after(self.name.as_bytes(), text);
                let mut ends = value(operator, modifier, &named.after(b"=", text), text);
                if operator == Operator::Parameter {
                    ends.retain(|place| !is_open(place, text));
                    ends.add(&named);
                }
                ends
            }
        }
    }
}

/// Whether a value would be empty that ends here. `;` writes no equals sign before an empty one, so it is `;x` and never `;x=`;
/// values of that operator hold no equals sign of their own.
fn is_open(place: usize, text: &[u8]) -> bool {
    place > 0 && text[place - 1] == b'='
}

fn value(operator: Operator, modifier: Modifier, starts: &Places, text: &[u8]) -> Places {
    match modifier {
        Modifier::Prefix(length) => prefix(operator.item(), length, starts, text),
        _ => run(operator.list(), starts, text),
    }
}

/// Any number of characters of an alphabet.
fn run(alphabet: Alphabet, starts: &Places, text: &[u8]) -> Places {
    let mut ends = starts.clone();
    for place in 0..text.len() {
        if ends.has(place)
            && let Some(length) = alphabet.unit(&text[place..])
        {
            ends.put(place + length);
        }
    }
    ends
}

/// Up to `most` characters; a character outside ASCII is several percent-encoded bytes (section 2.4.1).
fn prefix(alphabet: Alphabet, most: u16, starts: &Places, text: &[u8]) -> Places {
    // The least number of characters that it takes to get somewhere.
    let mut least = vec![u16::MAX; text.len() + 1];
    for place in starts.iter() {
        least[place] = 0;
    }
    for place in 0..text.len() {
        let count = least[place];
        if count < most
            && let Some(length) = alphabet.character(&text[place..])
            && let Some(known) = least.get_mut(place + length)
        {
            *known = (count + 1).min(*known);
        }
    }
    let mut ends = Places::none(text.len());
    for (place, _) in least.iter().enumerate().filter(|(_, count)| **count != u16::MAX) {
        ends.put(place);
    }
    ends
}

/// The members of a list or of an associative array, each for itself. With names an empty value may leave its `=` out, in the
/// way of the operator, and a list's members bear the variable's name, an array's their keys: any name is possible.
fn exploded(operator: Operator, named: bool, starts: &Places, text: &[u8]) -> Places {
    let (alphabet, separator) = (operator.item(), operator.separator().as_bytes());
    let bare = operator == Operator::Parameter;
    let (mut keys, mut values) = (starts.clone(), Places::none(text.len()));
    // A key has at least one character where names are written.
    let mut begun = Places::none(text.len());
    for place in 0..text.len() {
        let rest = &text[place..];
        let unit = alphabet.unit(rest);
        let is_key = keys.has(place) || begun.has(place);
        if let Some(length) = unit.filter(|_| is_key) {
            begun.put(place + length);
        }
        if let Some(length) = unit.filter(|_| values.has(place)) {
            values.put(place + length);
        }
        if rest.starts_with(b"=") && begun.has(place) {
            values.put(place + 1);
        }
        let is_value = values.has(place) && !(bare && is_open(place, text));
        let is_item = !named && (begun.has(place) || keys.has(place));
        if (is_value || is_item || bare && begun.has(place)) && rest.starts_with(separator) {
            keys.put(place + separator.len());
        }
    }
    let mut ends = values;
    if bare {
        ends.retain(|place| !is_open(place, text));
    }
    if bare || !named {
        ends.add(&begun);
    }
    if !named {
        ends.add(&keys);
    }
    ends
}

impl Alphabet {
    /// Length of the character or percent-encoded byte that `text` begins with.
    fn unit(self, text: &[u8]) -> Option<usize> {
        let byte = *text.first()?;
        if byte == b'%' {
            return encoded_byte(text).map(|_| 3);
        }
        let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let allowed = unreserved
            || self.comma && byte == b','
            || self.reserved && b":/?#[]@!$&'()*+,;=".contains(&byte);
        allowed.then_some(1)
    }

    /// Length of the character that `text` begins with, with all its percent-encoded bytes.
    fn character(self, text: &[u8]) -> Option<usize> {
        let Some(lead) = encoded_byte(text) else { return self.unit(text) };
        let bytes = match lead {
            0..0x80 => 1,
            0xC2..0xE0 => 2,
            0xE0..0xF0 => 3,
            0xF0..0xF5 => 4,
            _ => return None,
        };
        let rest = (1..bytes).map(|number| encoded_byte(text.get(number * 3..)?));
        let continued = rest.into_iter().all(|byte| byte.is_some_and(|byte| byte & 0xC0 == 0x80));
        continued.then_some(bytes * 3)
    }
}

/// The byte that a percent-encoding at the beginning of `text` means.
fn encoded_byte(text: &[u8]) -> Option<u8> {
    let hex = |at: usize| char::from(*text.get(at)?).to_digit(16);
    if text.first() != Some(&b'%') {
        return None;
    }
    u8::try_from(hex(1)? * 16 + hex(2)?).ok()
}

/// Letters, digits, underscores and percent-encoded bytes, with single dots between (section 2.3).
fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let mut rest = part.as_bytes();
        while let Some(byte) = rest.first() {
            let length = match byte {
                b'%' if encoded_byte(rest).is_some() => 3,
                b'_' => 1,
                byte if byte.is_ascii_alphanumeric() => 1,
                _ => return false,
            };
            rest = &rest[length..];
        }
        !part.is_empty()
    };
    name.split('.').all(is_part)
}

/// 1 to 9999, without leading zeros (section 2.4.1).
fn prefix_length(digits: &str) -> Option<u16> {
    let plain = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    (plain && !digits.starts_with('0')).then(|| digits.parse().ok())?
}
