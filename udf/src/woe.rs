//! Weight of evidence of categories, under the conventions of the libraries that have it.

use datafusion_expr::{AggregateUDF, ScalarUDF};
use std::sync::Arc;

use crate::aggregate::{Fit, aggregate_function};
use crate::scalar::scalar_function;

mod apply;
mod fit;
mod policy;

pub(crate) use fit::{categories, missing_rows};
pub(crate) use policy::{ALPHA, Missing, Policy, REPLACEMENT, ZeroPolicy, evidence, information_value};

/// The scalar functions of this group.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![scalar_function(apply::WoeApply::default())]
}

/// The aggregate functions of this group.
pub(crate) fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![aggregate_function(fit::FitWoe)]
}

/// The fits of this group whose states can be merged.
pub(crate) fn mergeable_fits() -> Vec<Box<dyn Fit>> {
    vec![Box::new(fit::FitWoe)]
}

#[cfg(test)]
mod tests;
