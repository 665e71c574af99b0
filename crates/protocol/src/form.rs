//! `application/x-www-form-urlencoded` as the URL standard parses it, but strict about UTF-8: bytes that are none are an
//! error and not a replacement character, because a topic must mean the same to everyone.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::text;

/// Splits a form into its fields, in order. `;` separates nothing and a stray `%` stays.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<(String, String)>, FormError> {
    bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(field).collect()
}

fn field(pair: &[u8]) -> Result<(String, String), FormError> {
    let at = pair.iter().position(|byte| *byte == b'=');
    let (name, value) = at.map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
    let name = decode(name).ok_or_else(|| FormError { field: "whose name is not UTF-8".to_owned() })?;
    match decode(value) {
        Some(value) => Ok((name, value)),
        None => Err(FormError { field: format!("{:?}", text::shorten(&name)) }),
    }
}

fn decode(bytes: &[u8]) -> Option<String> {
    let spaced: Cow<'_, [u8]> = if bytes.contains(&b'+') {
        bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect::<Vec<_>>().into()
    } else {
        bytes.into()
    };
    String::from_utf8(percent_decode(&spaced).collect()).ok()
}

/// A field holds bytes that are not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field {field} is not UTF-8 once it is decoded")]
pub(crate) struct FormError {
    field: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parser_is_the_one_of_the_url_standard() {
        let fields = parse(b"a=1&&b=x+y%20z&c&=d&e=1=2;f=3&g=%zz%").unwrap();
        let expected = [("a", "1"), ("b", "x y z"), ("c", ""), ("", "d"), ("e", "1=2;f=3"), ("g", "%zz%")];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(
            parse(b"a=%ff").unwrap_err().to_string(),
            "the field \"a\" is not UTF-8 once it is decoded"
        );
        assert!(parse(b"%ff=a").is_err());
    }
}
