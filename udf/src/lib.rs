//! Feature functions: vectorised kernels, Arrow in and Arrow out, with their thin DataFusion wrappers. No input or
//! output, no session, nothing asynchronous.

#![warn(missing_docs, unreachable_pub)]

mod aggregate;
mod bin_numbers;
mod bucketize;
mod category;
mod category_counts;
mod category_table;
mod class_counts;
mod constants;
mod counts;
mod exact_sum;
mod grid;
mod merge_state;
mod metrics;
mod numbers;
mod optimal;
mod scalar;
mod sign;
mod sparse;
mod spec;
mod state;
#[cfg(test)]
mod testing;
mod woe;

use std::sync::Arc;

use datafusion_expr::{AggregateUDF, ScalarUDF};

pub use bucketize::bucketize;
pub use exact_sum::ExactSum;
pub use numbers::Closed;
pub use sparse::DIMENSION;

use crate::aggregate::{Fit, aggregate_function};
use crate::merge_state::MergeState;
use crate::scalar::scalar_function;

/// Every scalar function of Sluice.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    [
        vec![scalar_function(bucketize::Bucketize)],
        metrics::scalar_functions(),
        optimal::scalar_functions(),
        woe::scalar_functions(),
    ]
    .concat()
}

/// The fits whose states `merge_state` takes.
fn mergeable_fits() -> Vec<Box<dyn Fit>> {
    [counts::mergeable_fits(), optimal::mergeable_fits(), woe::mergeable_fits()].into_iter().flatten().collect()
}

/// Every aggregate function of Sluice.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    [
        counts::aggregate_functions(),
        vec![aggregate_function(MergeState::new(mergeable_fits()))],
        metrics::aggregate_functions(),
        optimal::aggregate_functions(),
        woe::aggregate_functions(),
    ]
    .concat()
}
