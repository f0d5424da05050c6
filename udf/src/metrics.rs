//! How well a score or a feature tells a binary target, and how far two distributions are apart.

use datafusion_expr::{AggregateUDF, ScalarUDF};
use std::sync::Arc;

use crate::aggregate::aggregate_function;
use crate::scalar::scalar_function;

mod counted;
mod information;
mod psi;
mod ranking;
mod stability;

use self::counted::CountedMetric;

/// The scalar functions of this group.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![scalar_function(psi::Psi)]
}

/// The aggregate functions of this group.
pub(crate) fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![
        aggregate_function(ranking::AUC),
        aggregate_function(ranking::GINI),
        aggregate_function(ranking::KS),
        aggregate_function(CountedMetric::<information::InformationValue>::new()),
        aggregate_function(CountedMetric::<stability::PopulationStability>::new()),
    ]
}

#[cfg(test)]
mod tests;
