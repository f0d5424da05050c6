//! Where rows go.
//!
//! DataFusion and Ballista have one exchange between stages: a row's keys are hashed with a fixed hash, modulo the number
//! of partitions. [`placement`] inverts that hash: it finds values that the exchange is sure to put on a chosen
//! partition. So any way of placing rows is an ordinary column that is computed before an ordinary exchange.

#![warn(missing_docs)]

pub mod placement;
