//! What the bookshop sells, and what is said about it.
#![expect(unreachable_pub, reason = "what the entity derives generate is public, in a binary too")]

pub(crate) mod announcement;
pub(crate) mod book;
pub(crate) mod order;
pub(crate) mod review;
