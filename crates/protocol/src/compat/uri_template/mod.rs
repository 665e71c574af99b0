//! URI Templates (RFC 6570, level 4) as selectors: whether a string is an expansion of a template.
//!
//! A string matches if values of the variables exist that the template expands to it with. The sets of places where a part
//! of the template may end are carried through the string from left to right, so matching takes time proportional to the
//! length of the string for a given template, without backtracking and without a compiled automaton: a template costs the
//! memory of its text and of one small record per expression.

mod expression;
mod places;
use expression::Expression;
use places::Places;

/// A URI Template with at least one expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriTemplate {
    parts: Box<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Expression(Expression),
}

impl UriTemplate {
    /// Reads a template. `None` if the text has no expression, or is not well formed: it can only mean itself then.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            literal(&rest[..open], &mut parts);
            let inner = rest[open..].strip_prefix('{')?;
            let close = inner.find('}')?;
            parts.push(Part::Expression(Expression::parse(&inner[..close])?));
            rest = &inner[close + 1..];
        }
        literal(rest, &mut parts);
        let templated = parts.iter().any(|part| matches!(part, Part::Expression(_)));
        templated.then(|| Self { parts: parts.into() })
    }

    /// How many variables it has.
    #[must_use]
    pub fn variables(&self) -> usize {
        let count = |part: &Part| match part {
            Part::Literal(_) => 0,
            Part::Expression(expression) => expression.variables(),
        };
        self.parts.iter().map(count).sum()
    }

    /// What every expansion begins with, as far as that is literal ASCII, which expansions hold as it is.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => &text[..ascii(text)],
            _ => "",
        }
    }

    /// Whether `text` is an expansion of the template.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let text = text.as_bytes();
        if !text.starts_with(self.literal_prefix().as_bytes()) {
            return false;
        }
        let mut places = Places::at_start(text.len());
        for part in &self.parts {
            places = match part {
                Part::Literal(literal) => after_literal(literal, &places, text),
                Part::Expression(expression) => expression.ends(&places, text),
            };
            if places.is_empty() {
                return false;
            }
        }
        places.has(text.len())
    }
}

fn literal(text: &str, parts: &mut Vec<Part>) {
    if !text.is_empty() {
        parts.push(Part::Literal(text.into()));
    }
}

/// Literals are copied, except that what is not allowed in a URI is percent-encoded (section 3.1). Topics may be IRIs, so the
/// character itself is accepted too.
fn after_literal(literal: &str, places: &Places, text: &[u8]) -> Places {
    let plain = ascii(literal);
    let mut places = places.after(&literal.as_bytes()[..plain], text);
    for char in literal[plain..].chars() {
        let mut utf8 = [0; 4];
        let utf8 = char.encode_utf8(&mut utf8).as_bytes();
        let mut next = places.after(utf8, text);
        if !char.is_ascii() {
            let encoded: String = utf8.iter().map(|byte| format!("%{byte:02X}")).collect();
            next.add(&places.after(encoded.as_bytes(), text));
        }
        places = next;
    }
    places
}

/// Where the first character that is not ASCII stands.
fn ascii(text: &str) -> usize {
    text.bytes().position(|byte| !byte.is_ascii()).unwrap_or(text.len())
}

#[cfg(test)]
mod tests;
