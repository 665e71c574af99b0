//! How a request presents its token (AUTH.1): the `Authorization` header or, only if that is absent, the cookie.

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};

/// A token as a request presents it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Presented {
    /// No token at all.
    Nothing,
    /// In the `Authorization` header.
    Bearer(String),
    /// In the query component, as earlier generations of the protocol allow.
    Query(String),
    /// In the cookie, which browsers send by themselves: publishing then needs a same-site proof (PUB.9).
    Cookie(String),
    /// A header that is not what RFC 6750 section 2.1 describes.
    Malformed(&'static str),
}

/// Finds the token of a request.
pub(crate) fn present(headers: &HeaderMap, cookie_name: &str) -> Presented {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => cookie(headers, cookie_name).map_or(Presented::Nothing, Presented::Cookie),
        (Some(_), Some(_)) => Presented::Malformed("more than one Authorization header"),
        (Some(value), None) => match value.to_str() {
            Ok(value) => bearer(value),
            Err(_) => Presented::Malformed("the Authorization header is not ASCII"),
        },
    }
}

fn bearer(value: &str) -> Presented {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        // Another scheme, a proxy's Basic for one, says nothing to the hub.
        return Presented::Nothing;
    }
    let token = rest.trim();
    if token.is_empty() || token.contains([' ', ',', '\t']) {
        return Presented::Malformed("the Authorization header holds no single Bearer token");
    }
    Presented::Bearer(token.to_owned())
}

pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    // Bytes: a browser sends all cookies in one header, and those of others may hold anything.
    let pairs = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    for pair in pairs {
        let Some(rest) = pair.trim_ascii().strip_prefix(name.as_bytes()) else { continue };
        if let Some(value) = rest.strip_prefix(b"=") {
            return Some(String::from_utf8_lossy(value).trim_matches('"').to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), http::HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn auth_1_the_header_wins_over_the_cookie() {
        let both = headers(&[(AUTHORIZATION, "bEaReR abc"), (COOKIE, "t=xyz")]);
        assert_eq!(present(&both, "t"), Presented::Bearer("abc".into()));
        let foreign = headers(&[(AUTHORIZATION, "Basic Zm9v"), (COOKIE, "t=xyz")]);
        assert_eq!(present(&foreign, "t"), Presented::Nothing);
    }

    #[test]
    fn auth_1_the_cookie_is_found_by_its_exact_name() {
        let found = headers(&[(COOKIE, "a=1; tt=2; t=\"xyz\"; T=3")]);
        assert_eq!(present(&found, "t"), Presented::Cookie("xyz".into()));
        assert_eq!(present(&found, "missing"), Presented::Nothing);
        let mut beside = HeaderMap::new();
        beside.insert(COOKIE, http::HeaderValue::from_bytes(b"name=J\xf6rg; t=xyz").unwrap());
        assert_eq!(present(&beside, "t"), Presented::Cookie("xyz".into()));
    }

    #[test]
    fn auth_4_a_malformed_presentation_is_told_apart() {
        for value in ["Bearer", "Bearer ", "Bearer a b"] {
            assert!(
                matches!(present(&headers(&[(AUTHORIZATION, value)]), "t"), Presented::Malformed(_)),
                "{value}"
            );
        }
        let twice = headers(&[(AUTHORIZATION, "Bearer a"), (AUTHORIZATION, "Bearer b")]);
        let mut map = HeaderMap::new();
        for value in ["Bearer a", "Bearer b"] {
            map.append(AUTHORIZATION, http::HeaderValue::from_static(value));
        }
        assert!(matches!(present(&map, "t"), Presented::Malformed(_)));
        assert_eq!(present(&twice, "t"), present(&map, "t"));
    }
}
