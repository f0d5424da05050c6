//! Categories as numbers, vectors, frequent labels and counts: the fits count, the applies decide by the counts.

mod count_encoding;
mod index;
mod one_hot;
mod rare_labels;
#[cfg(test)]
mod tests;

use arrow::array::Int64Array;
use datafusion_expr::{AggregateUDF, ScalarUDF};
use std::sync::Arc;

use crate::aggregate::{Fit, aggregate_function};
use crate::scalar::scalar_function;

/// The scalar functions of categories.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        scalar_function(index::CategorifyApply::default()),
        scalar_function(count_encoding::CountEncodingApply::default()),
        scalar_function(one_hot::OneHotApply::default()),
        scalar_function(rare_labels::RareLabelApply::default()),
        scalar_function(index::StringIndexApply::default()),
    ]
}

/// The aggregate functions of categories.
pub(crate) fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![
        aggregate_function(index::FitCategorify),
        aggregate_function(count_encoding::FitCounts),
        aggregate_function(one_hot::FitOneHot),
        aggregate_function(rare_labels::FitRareLabels),
    ]
}

/// The fits of categories.
pub(crate) fn fits() -> Vec<Box<dyn Fit>> {
    vec![
        Box::new(index::FitCategorify),
        Box::new(count_encoding::FitCounts),
        Box::new(one_hot::FitOneHot),
        Box::new(rare_labels::FitRareLabels),
    ]
}

/// The places of categories by descending count, equal counts by ascending value.
fn by_frequency(counts: &Int64Array, known: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..known).collect();
    places.sort_by_key(|place| std::cmp::Reverse(counts.value(*place)));
    places
}
