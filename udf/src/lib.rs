//! Feature functions: vectorised kernels, Arrow in and Arrow out, with their thin DataFusion wrappers. No input or
//! output, no session, nothing asynchronous.

#![warn(missing_docs, unreachable_pub)]

mod aggregate;
mod bucketize;
mod category;
mod constants;
mod exact_sum;
mod hash;
mod merge_state;
mod numbers;
mod scalar;
mod sparse;
mod spec;
mod state;
#[cfg(test)]
mod testing;
mod text;

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
    let mut functions = vec![scalar_function(bucketize::Bucketize)];
    functions.extend(text::scalar_functions());
    functions
}

/// The fits whose states `merge_state` takes.
fn mergeable_fits() -> Vec<Box<dyn Fit>> {
    let mut fits = Vec::new();
    fits.extend(text::mergeable_fits());
    fits
}

/// Every aggregate function of Sluice.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    let mut functions = vec![aggregate_function(MergeState::new(mergeable_fits()))];
    functions.extend(text::aggregate_functions());
    functions
}
