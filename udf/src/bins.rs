//! Bins that are fitted on one column: by quantiles, of equal width, and around the centres of k-means; and the number
//! of the bin that a value falls in.

mod apply;
mod edges;
mod kmeans;
mod kmeans_fit;
mod quantile_fit;
#[cfg(test)]
mod tests;
mod width_fit;

use datafusion_expr::{AggregateUDF, ScalarUDF};
use std::sync::Arc;

use crate::aggregate::{Fit, aggregate_function};
use crate::scalar::scalar_function;
use crate::spec::{Parameter, required};
use crate::summary::{Summary, SummaryFit};

/// The number of bins of every fit.
const BINS: Parameter = required("n", "How many bins, between 1 and 100000.");

/// The kinds of states that have edges.
const KINDS: [&str; 3] = [quantile_fit::QuantileBins::KIND, width_fit::WidthBins::KIND, kmeans_fit::KmeansBins::KIND];

/// The functions of one row.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![scalar_function(apply::BinsApply::default())]
}

/// The fits whose states can be merged.
pub(crate) fn fits() -> Vec<Box<dyn Fit>> {
    vec![
        Box::new(SummaryFit::<kmeans_fit::KmeansBins>::new()),
        Box::new(SummaryFit::<quantile_fit::QuantileBins>::new()),
        Box::new(SummaryFit::<width_fit::WidthBins>::new()),
    ]
}

/// The fits.
pub(crate) fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![
        aggregate_function(SummaryFit::<kmeans_fit::KmeansBins>::new()),
        aggregate_function(SummaryFit::<quantile_fit::QuantileBins>::new()),
        aggregate_function(SummaryFit::<width_fit::WidthBins>::new()),
    ]
}
