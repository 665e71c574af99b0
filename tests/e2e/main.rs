//! End-to-end scenarios with the real binaries.
#![expect(clippy::unwrap_used, reason = "a test may end by a panic, and its helpers too")]

mod browser; // the page in Chromium
mod capture; // each way to change a row reaches subscribers
mod databases; // the bookshop on database servers
mod debugger; // the hub's own page in Chromium
mod guide; // what it says of pages, in Chromium
mod loss; // programs and servers are killed
mod many; // a hundred thousand rows at once
mod outbox; // an operator mends what was set aside
mod readers; // two of them, told different things
mod remote; // the hub as a second process
mod start; // what the bookshop says when it cannot start
mod tutorial; // what it says to do is done
