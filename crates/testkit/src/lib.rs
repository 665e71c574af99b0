//! What the tests of Petasos share; unpublished.
//!
//! Everything here is written on its own, with nothing but the standard library: an HTTP client, a reader of event streams,
//! a driver of browsers. A test that used the project's own code to look at the project would see only what the code
//! believes. [`Process`] starts the real binaries, [`Stream`] receives what they send, byte by byte, [`Browser`] looks at
//! their pages.
//!
//! ```
//! let (head, body) = petasos_testkit::http::split(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
//! assert_eq!((head.status, head.header("content-length"), body), (200, Some("2"), &b"ok"[..]));
//! ```

#![forbid(unsafe_code)]

mod browser;
pub use browser::Browser;
pub mod http;
mod process;
pub use process::{Process, binaries};
mod server;
pub use server::{MariaDb, Postgres, sql};
mod sqlite;
pub use sqlite::sqlite;
mod sse;
pub use sse::{Event, Stream};

use std::time::Duration;

/// How long anything may take before a test gives up: far longer than it ever does.
pub const PATIENCE: Duration = Duration::from_secs(60);
