//! What the workloads share: the other ends of many connections, the floor, and what a process costs.

#![forbid(unsafe_code)]

pub mod child;
pub mod crowd;
pub mod floor;
pub mod frames;
pub mod machine;
pub mod multiplexed;
pub mod stuck;
pub mod subject;
