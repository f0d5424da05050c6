//! Benchmarks of Sluice that check their own answers.
//!
//! [`tpch`] makes the data, runs the queries on a session, compares every row with independent engines, and reports
//! medians. [`features`] measures the feature functions, beside other libraries. The rest is what any benchmark needs:
//! normalised rows, their comparison, and facts about the machine.

#![warn(missing_docs)]

mod compare;
pub mod features;
mod machine;
mod rows;
mod statistics;
pub mod tpch;

pub use machine::Machine;
