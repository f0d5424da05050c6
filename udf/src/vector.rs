//! Vectors: sparse and dense forms, products, lengths, and the vectors that are made of others.
//!
//! A vector is a sparse vector, a list of numbers, or one number. Its dimension stands in the metadata of its field; a
//! function that needs it is given it as a constant when the query is planned.

mod column;
mod concat_features;
mod convert;
mod dimension;
mod dot;
mod interaction;
mod normalize;
mod one_hot;
mod polynomial;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use datafusion_expr::ScalarUDF;
use std::sync::Arc;

use crate::scalar::scalar_function;

/// The scalar functions of this group.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        scalar_function(concat_features::ConcatFeatures),
        scalar_function(concat_features::ConcatFeaturesSized),
        scalar_function(convert::Dense),
        scalar_function(dot::Dot),
        scalar_function(interaction::Interaction),
        scalar_function(normalize::Normalize::L1),
        scalar_function(normalize::Normalize::L2),
        scalar_function(one_hot::OneHot),
        scalar_function(polynomial::Polynomial),
        scalar_function(convert::Sparse),
    ]
}

/// How many numbers the dense vectors of one batch may have: 2 GiB.
const MOST_DENSE: usize = 1 << 28;
