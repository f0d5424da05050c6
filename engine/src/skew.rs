//! Keys that occur far more often than others, so that one partition would get most of the rows.
//!
//! Before a plan is made physical, `handle` looks at its joins and its aggregates of distinct values, takes a sample of
//! their keys, and where the fullest partition would be much fuller than the mean, rewrites the node: joins get a second key
//! whose values send the rows of frequent keys where there is room (`join.rs`), aggregates are computed in two levels
//! (`distinct.rs`). The number of partitions has to be known by then. The rewritten plan gives the same rows.

mod distinct;
mod entropy;
pub mod hint;
mod join;
mod judge;
mod lineage;
mod median;
mod parquet_runs;
mod report;
mod rewrite;
mod sample;
mod scope;
mod search;
mod size;
mod window;
mod write;

pub use report::SkewNote;
pub(crate) use rewrite::handle;
pub use scope::SkewScope;
