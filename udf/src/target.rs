//! Target encoding: a category becomes the mean of its target, drawn towards the mean of all rows. One state, with
//! exact counts and sums for each category and fold, serves every way of applying it: full statistics, out of fold,
//! leave-one-out and CatBoost's.

mod apply;
mod fit;
mod fold;
mod leave_one_out;
mod ordered;
mod smoothing;
mod statistics;
mod tally;
#[cfg(test)]
mod tests;

use datafusion_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use std::sync::Arc;

use crate::aggregate::{Fit, aggregate_function};
use crate::scalar::scalar_function;

pub(crate) use fit::FitTargetEncoding;

/// The scalar functions of target encoding.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        scalar_function(leave_one_out::CatboostApply::default()),
        scalar_function(fold::FoldOf),
        scalar_function(leave_one_out::LeaveOneOutApply::default()),
        scalar_function(apply::Apply::default()),
        scalar_function(apply::OutOfFold::default()),
    ]
}

/// The aggregate functions of target encoding.
pub(crate) fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![aggregate_function(FitTargetEncoding)]
}

/// The fits of target encoding.
pub(crate) fn fits() -> Vec<Box<dyn Fit>> {
    vec![Box::new(FitTargetEncoding)]
}

/// The window functions of target encoding.
pub(crate) fn window_functions() -> Vec<Arc<WindowUDF>> {
    vec![ordered::window_function()]
}
