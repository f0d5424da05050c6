//! Feature functions: vectorised kernels, Arrow in and Arrow out, with their thin DataFusion wrappers. No input or
//! output, no session, nothing asynchronous.

#![warn(missing_docs, unreachable_pub)]

mod aggregate;
mod bucketize;
mod categories;
mod categorify;
mod category;
mod constants;
mod counting;
mod exact_sum;
mod merge_state;
mod negatives;
mod numbers;
mod reference;
mod scalar;
mod sparse;
mod spec;
mod stable_hash;
mod state;
mod target;
#[cfg(test)]
mod testing;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion_expr::{AggregateUDF, ScalarUDF, WindowUDF};

pub use bucketize::bucketize;
pub use exact_sum::ExactSum;
pub use numbers::Closed;
pub use reference::reference_markdown;
pub use sparse::DIMENSION;

use crate::aggregate::{Fit, aggregate_function};
use crate::merge_state::MergeState;
use crate::scalar::scalar_function;

/// Every scalar function of Sluice.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let mut functions = vec![scalar_function(bucketize::Bucketize)];
    functions.extend(categorify::scalar_functions());
    functions.extend(negatives::scalar_functions());
    functions.extend(target::scalar_functions());
    functions
}

/// The fits whose states `merge_state` takes.
fn mergeable_fits() -> Vec<Box<dyn Fit>> {
    let mut fits: Vec<Box<dyn Fit>> = Vec::new();
    fits.extend(categorify::fits());
    fits.extend(negatives::fits());
    fits.extend(target::fits());
    fits
}

/// Every aggregate function of Sluice.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    let mut functions = vec![aggregate_function(MergeState::new(mergeable_fits()))];
    functions.extend(categorify::aggregate_functions());
    functions.extend(negatives::aggregate_functions());
    functions.extend(target::aggregate_functions());
    functions
}

/// Every window function of Sluice.
pub fn window_functions() -> Vec<Arc<WindowUDF>> {
    target::window_functions()
}

/// The parameters of one of Sluice's functions, in order, for calls with named arguments. A NULL stands for a parameter
/// that is left out.
pub fn parameter_names(function: &str) -> Option<&'static [String]> {
    static NAMES: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
        let scalar = scalar_functions();
        let (aggregate, window) = (aggregate_functions(), window_functions());
        let scalar = scalar.iter().map(|function| (function.name(), function.signature()));
        let aggregate = aggregate.iter().map(|function| (function.name(), function.signature()));
        let window = window.iter().map(|function| (function.name(), function.signature()));
        let all = scalar.chain(aggregate).chain(window);
        all.map(|(name, signature)| (name.to_string(), signature.parameter_names.clone().unwrap_or_default())).collect()
    });
    NAMES.get(function).map(Vec::as_slice)
}
