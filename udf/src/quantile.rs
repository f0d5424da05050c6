//! Quantiles: engines that keep the distribution of a column in a mergeable state, and what is read from it.

mod apply;
mod compactors;
mod counts;
mod distribution;
mod fit;
mod sketch;
#[cfg(test)]
mod tests;

use datafusion_expr::{AggregateUDF, ScalarUDF};
use std::sync::Arc;

use crate::aggregate::{Fit, aggregate_function};
use crate::scalar::scalar_function;
use crate::summary::SummaryFit;

pub(crate) use distribution::{Distribution, Interpolation, interpolation_parameter};
pub(crate) use sketch::{EPSILON, MERGEABLE, METHOD, Sketch};

/// The functions of one row.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![scalar_function(apply::Quantile::default()), scalar_function(apply::QuantileRank::default())]
}

/// The fits whose states can be merged.
pub(crate) fn fits() -> Vec<Box<dyn Fit>> {
    vec![Box::new(SummaryFit::<fit::QuantileSketch>::new())]
}

/// The fits.
pub(crate) fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![aggregate_function(SummaryFit::<fit::QuantileSketch>::new()), aggregate_function(fit::FitQuantiles)]
}
