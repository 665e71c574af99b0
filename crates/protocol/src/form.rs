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
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn what_any_serializer_writes_is_read_back(pairs in prop::collection::vec(("\\PC{0,8}|[&=+;%#\0\r\n ]{0,4}", "\\PC{0,8}|[&=+;%#\0\r\n ]{0,4}"), 0..6)) {
            let written = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            prop_assert_eq!(parse(written.as_bytes()).unwrap(), pairs);
        }

        #[test]
        fn any_bytes_are_read_as_the_url_standard_reads_them_or_refused(bytes in prop::collection::vec(prop_oneof![
            3 => prop::sample::select(b"&=+;%aF0\xc3\xa9".to_vec()), 1 => any::<u8>(),
        ], 0..60)) {
            let lossy: Vec<(String, String)> = url::form_urlencoded::parse(&bytes).into_owned().collect();
            match parse(&bytes) {
                Ok(fields) => prop_assert_eq!(fields, lossy),
                // The standard puts a replacement character where we refuse.
                Err(_) => {
                    let replaced = lossy.iter().any(|(name, value)| [name, value].iter().any(|text| text.contains('\u{fffd}')));
                    prop_assert!(replaced);
                }
            }
        }
    }
}
