//! Who may do what: keys, tokens, and how a request presents them.
//!
//! Signatures are checked here and nowhere else; what a token's bytes mean is the business of `petasos_protocol::token`.

mod issuer;
pub use issuer::Issuer;
pub(crate) use issuer::Keys;

mod jwks;
pub use jwks::{KeySet, KeySetSource};

mod key;
pub use key::{Algorithm, Key, KeyError, random_secret};

mod present;
pub(crate) use present::{Presented, cookie, present};

mod source;
pub use source::{KeySetFile, KeySetUrl};

mod verify;
pub(crate) use verify::{Authorised, Trusted, Verifier, VerifierConfig};
