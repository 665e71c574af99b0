//! Who may do what: keys, tokens, and how a request presents them.
//!
//! Signatures are checked here and nowhere else; what a token's bytes mean is the business of `petasos_protocol::token`.

mod key;
pub use key::{Key, KeyError, random_secret};

mod present;
pub(crate) use present::{Presented, present};

mod verify;
pub(crate) use verify::{Authorised, Verifier, VerifierConfig};
