//! Notices every committed change of a database table, whoever made it.
//!
//! [`Outbox::install`] puts a trigger on each [`Table`]: it writes what changed into an outbox in the same transaction, so a
//! change that is rolled back never existed, and it does not matter whether it came through an ORM, in bulk, or from
//! another program. A relay then drives it: [`Outbox::wait`], [`Outbox::batch`], [`merge`], and, once each change has been
//! dealt with, [`Outbox::acknowledge`] or [`Outbox::set_aside`]. Nothing leaves the outbox otherwise.
//!
//! ```
//! use petasos_changes::{Column, ColumnKind, Operation, Outbox, Table};
//! use sea_orm::{ConnectionTrait, Database};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = std::env::temp_dir().join(format!("petasos-changes-doc-{}.db", std::process::id()));
//! let db = Database::connect(format!("sqlite://{}?mode=rwc", file.display())).await?;
//! db.execute_unprepared("CREATE TABLE IF NOT EXISTS book (id INTEGER PRIMARY KEY, title TEXT)").await?;
//! let id = Column::new("id", ColumnKind::Plain);
//! let book = Table::new("book", vec![id.clone()], vec![id, Column::new("title", ColumnKind::Plain)]);
//!
//! let outbox = Outbox::install(&db, &[book]).await?;
//! db.execute_unprepared("INSERT INTO book (title) VALUES ('Dune')").await?;
//! outbox.wait().await?;
//! let changes = outbox.batch(100).await?;
//! assert_eq!((changes[0].operation, changes[0].table.as_str()), (Operation::Insert, "book"));
//! outbox.acknowledge(&[changes[0].seq]).await?;
//! # std::fs::remove_file(file)?;
//! # Ok(())
//! # }
//! ```
//!
//! This crate knows databases and nothing else: no HTTP, no Mercure.

#![forbid(unsafe_code)]

mod change;
pub use change::{Change, Operation};
mod dialect;
mod error;
pub use error::Error;
mod merge;
pub use merge::{Merged, merge};
#[cfg(feature = "mysql")]
mod mysql;
mod outbox;
pub use outbox::{Outbox, Waker};
#[cfg(feature = "postgres")]
mod postgres;
mod row;
mod sqlite;
mod status;
pub use status::{SetAside, Status};
mod store;
mod table;
pub use table::{Column, ColumnKind, Table};
