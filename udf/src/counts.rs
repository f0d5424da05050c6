//! Counts of events and non-events: by bin of a number, and by category. Weight of evidence, information value and
//! optimal bins are functions of such counts.

use datafusion_expr::AggregateUDF;
use std::sync::Arc;

use crate::aggregate::{Fit, aggregate_function};

mod binned;
mod categories;

pub(crate) use binned::KIND as BINNED;
pub(crate) use categories::KIND as CATEGORIES;

/// The aggregate functions of this group.
pub(crate) fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![aggregate_function(binned::BinnedCounts), aggregate_function(categories::CategoryCountsFit)]
}

/// The fits of this group whose states can be merged.
pub(crate) fn mergeable_fits() -> Vec<Box<dyn Fit>> {
    vec![Box::new(binned::BinnedCounts), Box::new(categories::CategoryCountsFit)]
}

#[cfg(test)]
mod tests;
