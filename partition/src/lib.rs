//! Where rows go.
//!
//! DataFusion and Ballista have one exchange between stages: a row's keys are hashed with a fixed hash, modulo the number
//! of partitions. [`placement`] inverts that hash: it finds values that the exchange is sure to put on a chosen
//! partition. So any way of placing rows is an ordinary column that is computed before an ordinary exchange.
//!
//! [`chunks`] decides where the rows of frequent keys are to go, [`salts`] and [`ranges`] make it so, and [`states`] has the aggregates
//! that bring together what was spread.

#![warn(missing_docs)]

pub mod chunks;
pub mod codec;
pub mod placement;
pub mod ranges;
pub mod salts;
pub mod states;
