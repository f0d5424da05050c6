//! Benchmarks of Sluice that check their own answers.
//!
//! [`sql`] makes the data of TPC-H, TPC-DS and ClickBench, runs their queries on a session, compares every row with
//! independent engines, times other engines, and reports medians. [`features`] measures the feature functions, beside other libraries. [`skew`] measures what uneven keys cost,
//! beside Spark. The rest is what any benchmark needs: data sets, normalised rows, their comparison, peers in Python, and
//! facts about the machine.

#![warn(missing_docs)]

mod clickbench;
mod compare;
mod dataset;
pub mod features;
mod machine;
mod python;
mod rows;
pub mod skew;
pub mod sql;
mod statistics;
mod tpcds;
mod tpch;
mod zipf;

pub use machine::Machine;
