//! Access tokens (AUTH.1 to AUTH.3, RFC 9068, RFC 9396) without signatures, clocks or keys: what their bytes say.
//!
//! [`split`] takes a token apart; whoever has keys checks the signature over [`Jws::signing_input`]; [`Claims::parse`] reads
//! the payload and [`Claims::check`] judges it at a given time. [`ClaimsBuilder`] writes the claims of a new token.

mod build;
pub use build::ClaimsBuilder;
mod claims;
pub use claims::{Claims, Expected, issuer};
pub(crate) use claims::{text, time};
mod grants;
pub use grants::{DETAIL_TYPE, GrantDetail, GrantLimits, Grants};
pub(crate) mod json;
mod jws;
pub use jws::{Header, Jws, split};

use crate::MatcherError;

/// Why a token means nothing. For logs: a client is told no more than that its token is invalid (AUTH.4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is longer than 8 KiB.
    #[error("the token is {0} bytes long; {max} are allowed", max = jws::MAX_TOKEN)]
    TooLong(usize),
    /// It is not three base64url parts with dots between.
    #[error("the token is not a JWS in compact form")]
    Form,
    /// A part is not JSON, or names a member twice.
    #[error("the token's {part} is not usable JSON: {reason}")]
    Json {
        /// Header or payload.
        part: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// The header asks for extensions.
    #[error("the token's header has \"crit\", and no extension is understood")]
    Critical,
    /// A member is missing or has the wrong type.
    #[error("the token's {0:?} is missing or malformed")]
    Member(&'static str),
    /// An entry of `authorization_details` is malformed.
    #[error("an authorization detail is malformed: {0}")]
    Detail(&'static str),
    /// A matcher of a grant is invalid.
    #[error("an authorization detail is malformed: {0}")]
    Matcher(#[from] MatcherError),
    /// There is more of something than allowed.
    #[error("the token has too many {0}")]
    TooMany(&'static str),
    /// It is no longer valid.
    #[error("the token has expired")]
    Expired,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYet,
    /// It is meant for someone else.
    #[error("the token's audience does not name this hub")]
    Audience,
    /// It comes from someone who is not trusted.
    #[error("the token's issuer is not trusted")]
    Issuer,
}
