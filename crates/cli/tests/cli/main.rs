//! The `petasos` binary, as people and machines use it.
#![expect(clippy::unwrap_used, reason = "a test may end by a panic, and its helpers too")]

mod bench; // a load on a hub, and what came of it
mod completions; // what shells are told
mod configuration; // flags, variables, the file, and what each option does
mod crash; // the hub is killed while many publish
mod dev; // the hub for one's own machine, and its debugger
mod earlier; // the earlier generations of the protocol
mod history; // where updates are kept, for how long, and when that fails
mod keysets; // key sets of login servers
mod operators; // health and metrics
mod pages; // commands that the documentation shows
mod shell; // token, publish and subscribe
#[cfg(unix)]
mod sockets; // the limits of the system: open files, and TLS
mod stop; // how a hub ends
mod support;
