//! Writes forms: `application/x-www-form-urlencoded`, by hand.

/// Encodes fields as a browser would; everything but letters, digits and a few signs is percent-encoded.
#[must_use]
pub fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// Percent-encodes one value.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_that_means_something_is_encoded() {
        assert_eq!(form(&[("a b", "&=+;%"), ("\u{e9}", "x.y")]), "a%20b=%26%3D%2B%3B%25&%C3%A9=x.y");
    }
}
