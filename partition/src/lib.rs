//! Where rows go.
//!
//! DataFusion and Ballista have one exchange between stages: a row's keys are hashed with a fixed hash, modulo the number
//! of partitions. [`placement`] inverts that hash: it finds values that the exchange is sure to put on a chosen
//! partition. So any way of placing rows is an ordinary column that is computed before an ordinary exchange.
//!
//! A [`Partitioner`] says which partition a row goes to; [`kinds`] has those that Sluice comes with, and a
//! [`PartitionerRegistry`] makes them, and those of users, from their bytes on the machine that routes.
//!
//! [`chunks`] decides where the rows of frequent keys are to go, [`salts`] and [`ranges`] make it so, and [`states`] has the
//! aggregates that bring together what was spread.

#![warn(missing_docs)]

pub mod chunks;
pub mod codec;
pub mod kinds;
mod partitioner;
pub mod placement;
pub mod ranges;
mod registry;
mod row_hash;
pub mod salts;
mod sketch;
mod stable_hash;
pub mod states;
mod values;

pub use partitioner::{Clustering, Partitioner, Rows, route};
pub use registry::{Decoder, PartitionerRegistry};
pub use row_hash::row_hashes;
pub use sketch::KeySketch;
