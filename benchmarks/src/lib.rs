//! Benchmarks of Sluice that check their own answers.
//!
//! [`tpch`] makes the data, runs the queries on a session, compares every row with independent engines, and reports
//! medians. [`features`] measures the feature functions, beside other libraries. [`skew`] measures what uneven keys cost,
//! beside Spark. The rest is what any benchmark needs: data sets, normalised rows, their comparison, peers in Python, and
//! facts about the machine.

#![warn(missing_docs)]

mod compare;
mod dataset;
pub mod features;
mod machine;
mod python;
mod rows;
pub mod skew;
mod statistics;
pub mod tpch;
mod zipf;

pub use machine::Machine;
