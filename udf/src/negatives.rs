//! Negative sampling: items that a user has not chosen, drawn by popularity. A draw is a function of the state, the
//! seed, the user's key and a counter, never of the partition or the order of rows.

mod alias;
mod fit;
mod sample;
#[cfg(test)]
mod tests;

use datafusion_expr::{AggregateUDF, ScalarUDF};
use std::sync::Arc;

use crate::aggregate::{Fit, aggregate_function};
use crate::scalar::scalar_function;

/// The scalar functions of negative sampling.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![scalar_function(sample::NegativeSamples::default())]
}

/// The aggregate functions of negative sampling.
pub(crate) fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![aggregate_function(fit::FitNegatives)]
}

/// The fits of negative sampling.
pub(crate) fn fits() -> Vec<Box<dyn Fit>> {
    vec![Box::new(fit::FitNegatives)]
}
