//! Feature functions: vectorised kernels, Arrow in and Arrow out, with their thin DataFusion wrappers. No input or
//! output, no session, nothing asynchronous.

#![warn(missing_docs, unreachable_pub)]

mod aggregate;
mod bin_numbers;
mod bins;
mod bucketize;
mod categories;
mod categorify;
mod category;
mod category_counts;
mod category_table;
mod class_counts;
mod constants;
mod counting;
mod counts;
#[cfg(test)]
mod damaged_states;
mod exact_sum;
mod extent;
mod grid;
mod hash;
mod merge_state;
mod metrics;
mod negatives;
mod numbers;
mod optimal;
mod quantile;
mod reference;
mod scalar;
mod scale;
mod sign;
mod sparse;
mod spec;
mod stable_hash;
mod state;
mod summary;
mod target;
#[cfg(test)]
mod testing;
mod text;
mod vector;
mod woe;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion_expr::{AggregateUDF, ScalarUDF, WindowUDF};

pub use bucketize::bucketize;
pub use exact_sum::ExactSum;
pub use hash::{HashLibrary, fingerprint64, murmur3_spark_legacy, murmur3_x86_32};
pub use numbers::Closed;
pub use reference::reference_markdown;
pub use sparse::DIMENSION;

use crate::aggregate::{Fit, aggregate_function};
use crate::merge_state::MergeState;
use crate::scalar::scalar_function;

/// Every scalar function of Sluice.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    [
        vec![scalar_function(bucketize::Bucketize)],
        bins::scalar_functions(),
        categorify::scalar_functions(),
        hash::scalar_functions(),
        metrics::scalar_functions(),
        negatives::scalar_functions(),
        optimal::scalar_functions(),
        quantile::scalar_functions(),
        scale::scalar_functions(),
        target::scalar_functions(),
        text::scalar_functions(),
        vector::scalar_functions(),
        woe::scalar_functions(),
    ]
    .concat()
}

/// The fits whose states `merge_state` takes.
fn mergeable_fits() -> Vec<Box<dyn Fit>> {
    let groups: [Vec<Box<dyn Fit>>; 10] = [
        bins::fits(),
        categorify::fits(),
        counts::mergeable_fits(),
        negatives::fits(),
        optimal::mergeable_fits(),
        quantile::fits(),
        scale::fits(),
        target::fits(),
        text::mergeable_fits(),
        woe::mergeable_fits(),
    ];
    groups.into_iter().flatten().collect()
}

/// Every aggregate function of Sluice.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    [
        vec![aggregate_function(MergeState::new(mergeable_fits()))],
        bins::aggregate_functions(),
        categorify::aggregate_functions(),
        counts::aggregate_functions(),
        metrics::aggregate_functions(),
        negatives::aggregate_functions(),
        optimal::aggregate_functions(),
        quantile::aggregate_functions(),
        scale::aggregate_functions(),
        target::aggregate_functions(),
        text::aggregate_functions(),
        woe::aggregate_functions(),
    ]
    .concat()
}

/// Every window function of Sluice.
pub fn window_functions() -> Vec<Arc<WindowUDF>> {
    target::window_functions()
}

/// The parameters of one of Sluice's functions, in order, for calls with named arguments. A NULL stands for a parameter
/// that is left out.
pub fn parameter_names(function: &str) -> Option<&'static [String]> {
    static NAMES: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
        let (scalar, aggregate, window) = (scalar_functions(), aggregate_functions(), window_functions());
        let scalar = scalar.iter().map(|function| (function.name(), function.signature()));
        let aggregate = aggregate.iter().map(|function| (function.name(), function.signature()));
        let window = window.iter().map(|function| (function.name(), function.signature()));
        let all = scalar.chain(aggregate).chain(window);
        all.map(|(name, signature)| (name.to_string(), signature.parameter_names.clone().unwrap_or_default())).collect()
    });
    NAMES.get(function).map(Vec::as_slice)
}
