//! Scaling, imputation and other transforms of one numeric column.

mod apply;
mod fits;
mod impute;
mod impute_apply;
mod moments;
mod power;
#[cfg(test)]
mod tests;
mod text_impute;
mod winsorise;

use datafusion_expr::{AggregateUDF, ScalarUDF};
use std::sync::Arc;

use crate::aggregate::{Fit, aggregate_function};
use crate::scalar::scalar_function;
use crate::summary::SummaryFit;

/// The functions of one row.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        scalar_function(impute_apply::ImputeApply::default()),
        scalar_function(power::LogOnePlus),
        scalar_function(impute_apply::MissingIndicator),
        scalar_function(power::PowerTransform),
        scalar_function(apply::ScaleApply::default()),
        scalar_function(winsorise::WinsoriseApply::<false>::default()),
        scalar_function(winsorise::WinsoriseApply::<true>::default()),
    ]
}

/// The fits whose states can be merged.
pub(crate) fn fits() -> Vec<Box<dyn Fit>> {
    vec![
        Box::new(SummaryFit::<fits::MaxAbs>::new()),
        Box::new(SummaryFit::<fits::MinMax>::new()),
        Box::new(SummaryFit::<fits::Robust>::new()),
        Box::new(SummaryFit::<fits::Standard>::new()),
        Box::new(SummaryFit::<impute::NumberImputer>::new()),
        Box::new(SummaryFit::<winsorise::Winsorise<false>>::new()),
        Box::new(text_impute::TextImputer),
    ]
}

/// The fits.
pub(crate) fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![
        aggregate_function(impute::FitImputer),
        aggregate_function(SummaryFit::<fits::MaxAbs>::new()),
        aggregate_function(SummaryFit::<fits::MinMax>::new()),
        aggregate_function(SummaryFit::<fits::Robust>::new()),
        aggregate_function(SummaryFit::<fits::Standard>::new()),
        aggregate_function(SummaryFit::<winsorise::Winsorise<false>>::new()),
        aggregate_function(SummaryFit::<winsorise::Winsorise<true>>::new()),
    ]
}
