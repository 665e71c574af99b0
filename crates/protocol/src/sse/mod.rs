//! Event streams, written and read as the HTML standard describes them (section 9.2).

mod decode;
pub use decode::{DecodeError, Decoder, Message};
mod encode;
pub use encode::encode;

/// A comment that keeps a silent connection alive (SUB.8).
pub const HEARTBEAT: &[u8] = b":\n\n";
