//! A token's three parts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{TokenError, json};

/// A token in JWS compact form, taken apart. Nothing of it is trusted yet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Jws<'a> {
    /// Its header.
    pub header: Header,
    /// Its payload, decoded.
    pub payload: Vec<u8>,
    /// Its signature, decoded.
    pub signature: Vec<u8>,
    /// What the signature is over.
    pub signing_input: &'a str,
}

/// The header of a token: what it claims about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// The algorithm that it says it is signed with.
    pub alg: String,
    /// What kind of token it is.
    pub typ: Option<String>,
    /// A hint at the key.
    pub kid: Option<String>,
}

impl Header {
    /// Whether it says that this is an access token (RFC 9068 section 2.1).
    #[must_use]
    pub fn is_access_token(&self) -> bool {
        let typ = self.typ.as_deref().unwrap_or_default();
        ["at+jwt", "application/at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known))
    }
}

/// Takes a token apart.
///
/// # Errors
/// [`TokenError`] if it is too long, not in compact form, or if its header has `crit` (RFC 7515 section 4.1.11).
pub fn split(token: &str) -> Result<Jws<'_>, TokenError> {
    if token.len() > MAX_TOKEN {
        return Err(TokenError::TooLong(token.len()));
    }
    let (signing_input, signature) = token.rsplit_once('.').ok_or(TokenError::Form)?;
    let (header, payload) = signing_input.split_once('.').ok_or(TokenError::Form)?;
    if payload.contains('.') {
        return Err(TokenError::Form);
    }
    let decode = |part| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Form);
    Ok(Jws {
        header: read_header(&decode(header)?)?,
        payload: decode(payload)?,
        signature: decode(signature)?,
        signing_input,
    })
}

fn read_header(bytes: &[u8]) -> Result<Header, TokenError> {
    let header =
        json::parse(bytes).map_err(|error| TokenError::Json { part: "header", reason: error.to_string() })?;
    if header.get("crit").is_some() {
        return Err(TokenError::Critical);
    }
    let text = |name: &'static str| match header.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(|value| Some(value.to_owned())).ok_or(TokenError::Member(name)),
    };
    Ok(Header { alg: text("alg")?.ok_or(TokenError::Member("alg"))?, typ: text("typ")?, kid: text("kid")? })
}

pub(super) const MAX_TOKEN: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", encode(header), encode("{}"), encode("signature"))
    }

    #[test]
    fn a_token_is_taken_apart() {
        let token = token(r#"{"alg":"HS256","typ":"AT+JWT","kid":"k","x":1}"#);
        let jws = split(&token).unwrap();
        assert!(jws.header.is_access_token());
        assert_eq!((jws.header.alg.as_str(), jws.header.kid.as_deref()), ("HS256", Some("k")));
        assert_eq!((jws.payload.as_slice(), jws.signature.as_slice()), (&b"{}"[..], &b"signature"[..]));
        assert_eq!(jws.signing_input, token.rsplit_once('.').unwrap().0);
    }

    #[test]
    fn auth_2_what_is_no_token_is_refused() {
        assert_eq!(split(&"x".repeat(9000)).unwrap_err(), TokenError::TooLong(9000));
        for form in ["", ".", "a.b", "e30.e30.e30.e30", "e30=.e30.e30", "e30.e30.!"] {
            assert!(split(form).is_err(), "{form}");
        }
        assert_eq!(split(&token(r#"{"alg":"HS256","crit":["b64"]}"#)).unwrap_err(), TokenError::Critical);
        assert_eq!(split(&token(r#"{"typ":"at+jwt"}"#)).unwrap_err(), TokenError::Member("alg"));
        assert!(split(&token(r#"{"alg":"HS256","alg":"none"}"#)).is_err());
        assert!(!split(&token(r#"{"alg":"HS256","typ":"JWT"}"#)).unwrap().header.is_access_token());
    }
}
