//! Optimal binning of a number or a category against a binary target, as optbinning's `OptimalBinning` does it, by
//! exact dynamic programming.

use datafusion_expr::{AggregateUDF, ScalarUDF};
use std::sync::Arc;

use crate::aggregate::{Fit, aggregate_function};
use crate::scalar::scalar_function;

mod apply;
mod bins;
mod categorical;
mod dynamic;
mod fitted;
mod normal;
mod numeric;
mod options;
mod prebin;
mod table;
mod tree;

pub(crate) use dynamic::compare_rates;
pub(crate) use options::choice;

/// The scalar functions of this group.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        scalar_function(apply::OptimalBinApply::default()),
        scalar_function(apply::WoeBinApply::default()),
        scalar_function(table::BinningTable),
        scalar_function(table::BinningSummary),
    ]
}

/// The aggregate functions of this group.
pub(crate) fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![aggregate_function(numeric::OptimalBins), aggregate_function(categorical::OptimalCategories)]
}

/// The fits of this group whose states can be merged.
pub(crate) fn mergeable_fits() -> Vec<Box<dyn Fit>> {
    vec![Box::new(numeric::OptimalBins), Box::new(categorical::OptimalCategories)]
}

/// What scikit-learn 1.9.1 and optbinning 1.0.0 give: see tests/data/optimal_binning.py.
#[cfg(test)]
fn fixture() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/optimal_binning.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[cfg(test)]
mod tests;
