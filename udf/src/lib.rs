//! Feature functions: vectorised kernels, Arrow in and Arrow out, with their thin DataFusion wrappers. No input or
//! output, no session, nothing asynchronous.

#![warn(missing_docs, unreachable_pub)]

mod bucketize;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

pub use bucketize::bucketize;

/// Every scalar function of Sluice.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![Arc::new(ScalarUDF::from(bucketize::Bucketize::new()))]
}

/// Every aggregate function of Sluice.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![]
}
