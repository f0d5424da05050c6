//! What the tests of all functions share: calls as DataFusion makes them (count, coercion, planning, evaluation), and
//! fits over any permutation of the rows in any split, merged in any order.

use arrow::array::{Array, ArrayRef, AsArray, StructArray, UInt32Array};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::ColumnarValue;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;

use crate::aggregate::{Accumulate, Fit};
use crate::constants::Constants;
use crate::scalar::{Kernel, check_count};

/// One argument of a call.
#[derive(Debug, Clone)]
pub(crate) enum Given {
    Column(ArrayRef),
    Constant(ScalarValue),
}

impl Given {
    fn data_type(&self) -> DataType {
        match self {
            Self::Column(column) => column.data_type().clone(),
            Self::Constant(value) => value.data_type(),
        }
    }

    fn cast_to(&self, data_type: &DataType) -> Result<Self> {
        Ok(match self {
            Self::Column(column) => Self::Column(cast(column, data_type)?),
            Self::Constant(value) => Self::Constant(value.cast_to(data_type)?),
        })
    }
}

/// A column as an argument.
pub(crate) fn column(values: impl Array + 'static) -> Given {
    Given::Column(Arc::new(values))
}

/// A constant as an argument; `constant(ScalarValue::Null)` leaves a parameter at its default.
pub(crate) fn constant(value: impl Into<ScalarValue>) -> Given {
    Given::Constant(value.into())
}

/// The row 0 of a state as a constant argument.
pub(crate) fn state(state: &StructArray) -> Given {
    Given::Constant(ScalarValue::Struct(Arc::new(state.slice(0, 1))))
}

/// Calls a scalar function; the result has one element if no argument is a column.
pub(crate) fn call(kernel: &dyn Kernel, arguments: &[Given]) -> Result<ArrayRef> {
    let spec = kernel.spec();
    check_count(spec, arguments.len())?;
    let types: Vec<DataType> = arguments.iter().map(Given::data_type).collect();
    let types = kernel.coerce(&types)?;
    let arguments: Vec<Given> =
        arguments.iter().zip(&types).map(|(argument, data_type)| argument.cast_to(data_type)).collect::<Result<_>>()?;
    let fields: Vec<FieldRef> =
        types.iter().map(|data_type| Arc::new(Field::new("argument", data_type.clone(), true))).collect();
    let literals: Vec<Option<&ScalarValue>> = arguments
        .iter()
        .map(|argument| match argument {
            Given::Column(_) => None,
            Given::Constant(value) => Some(value),
        })
        .collect();
    let field = kernel.result(&fields, &Constants::planned(spec, &literals))?;
    let rows = arguments.iter().find_map(|argument| match argument {
        Given::Column(column) => Some(column.len()),
        Given::Constant(_) => None,
    });
    let values: Vec<ColumnarValue> = arguments
        .into_iter()
        .map(|argument| match argument {
            Given::Column(column) => ColumnarValue::Array(column),
            Given::Constant(value) => ColumnarValue::Scalar(value),
        })
        .collect();
    let result = kernel.evaluate(&values, rows.unwrap_or(1), &Constants::evaluated(spec, &values))?;
    assert_eq!(result.len(), rows.unwrap_or(1), "{} must give one value a row", spec.name);
    assert_eq!(result.data_type(), field.data_type(), "{} must give the type that it was planned with", spec.name);
    Ok(result)
}

/// Fits in one go.
pub(crate) fn fit(fit: &dyn Fit, arguments: &[Given]) -> Result<ArrayRef> {
    fit_in_parts(fit, arguments, 1, 0)
}

/// Fits as a cluster does: the rows in an order drawn from `seed`, in `parts` partitions of uneven size and batches of
/// uneven size, the partial states merged in a tree drawn from `seed`. With one part and seed 0 the rows keep their
/// order.
pub(crate) fn fit_in_parts(fit: &dyn Fit, arguments: &[Given], parts: usize, seed: u64) -> Result<ArrayRef> {
    let spec = fit.spec();
    check_count(spec, arguments.len())?;
    let types: Vec<DataType> = arguments.iter().map(Given::data_type).collect();
    let types = fit.coerce(&types)?;
    let arguments: Vec<Given> =
        arguments.iter().zip(&types).map(|(argument, data_type)| argument.cast_to(data_type)).collect::<Result<_>>()?;
    let literals: Vec<Option<&ScalarValue>> = arguments
        .iter()
        .map(|argument| match argument {
            Given::Column(_) => None,
            Given::Constant(value) => Some(value),
        })
        .collect();
    let constants = Constants::planned(spec, &literals);
    fit.check(&constants)?;
    let rows = arguments.iter().find_map(|argument| match argument {
        Given::Column(column) => Some(column.len()),
        Given::Constant(_) => None,
    });
    let rows = rows.unwrap_or(1);
    let mut random = StdRng::seed_from_u64(seed);
    let mut order: Vec<u32> = (0..rows as u32).collect();
    if seed != 0 {
        order.shuffle(&mut random);
    }
    let mut cuts: Vec<usize> = (1..parts).map(|_| random.random_range(0..=rows)).collect();
    cuts.extend([0, rows]);
    cuts.sort_unstable();
    let state_type = fit.state_type(&types)?;
    let mut states: Vec<StructArray> = Vec::new();
    for range in cuts.windows(2) {
        let mut partial = fit.accumulate(&types, &constants)?;
        let mut rest = &order[range[0]..range[1]];
        while !rest.is_empty() {
            let (batch, after) =
                rest.split_at(if seed == 0 { rest.len() } else { random.random_range(1..=rest.len()) });
            let batch = UInt32Array::from(batch.to_vec());
            let columns: Vec<ArrayRef> = arguments
                .iter()
                .map(|argument| match argument {
                    Given::Column(column) => Ok(take(column, &batch, None)?),
                    Given::Constant(value) => value.to_array_of_size(batch.len()),
                })
                .collect::<Result<_>>()?;
            partial.update(&columns)?;
            rest = after;
        }
        states.push(partial.state()?);
    }
    states.iter().for_each(|state| assert_eq!(state.data_type(), &state_type, "{}: the type of the state", spec.name));
    // Partial merges in a random tree, then the rest at once.
    while seed != 0 && states.len() > 2 && random.random_bool(0.7) {
        let left = states.swap_remove(random.random_range(0..states.len()));
        let right = states.swap_remove(random.random_range(0..states.len()));
        let mut merged = fit.accumulate(&types, &constants)?;
        merged.merge(&left)?;
        merged.merge(&right)?;
        states.push(merged.state()?);
    }
    states.shuffle(&mut random);
    let mut last = fit.accumulate(&types, &constants)?;
    let all: Vec<&dyn Array> = states.iter().map(|state| state as &dyn Array).collect();
    last.merge(concat(&all)?.as_struct())?;
    let result = last.finish()?;
    assert_eq!(result.len(), 1);
    assert_eq!(result.data_type(), &fit.result_type(&types)?, "{}: the type of the result", spec.name);
    Ok(result)
}

/// The state of a fit that was merged with `merge_state`: resumed from the first, merged with the others.
pub(crate) fn merge_states(fit: &dyn Fit, states: &[StructArray]) -> Result<ArrayRef> {
    let mut merged: Box<dyn Accumulate> = fit.resume(&states[0].slice(0, 1))?;
    for state in &states[1..] {
        merged.merge(state)?;
    }
    merged.finish()
}

/// The reference vectors, `shared/golden/golden.json`.
pub(crate) fn golden() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden/golden.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A thousand numbers with repetitions that a test in another language makes alike:
/// `x = ((i * i * 7919) % 10007) / 100 - 30`, and `round(x / 10)` (ties to even) where 5 divides `i`.
pub(crate) fn sample() -> Vec<f64> {
    let number = |index: u64| {
        let number = ((index * index * 7919) % 10007) as f64 / 100.0 - 30.0;
        if index.is_multiple_of(5) { (number / 10.0).round_ties_even() } else { number }
    };
    (0..1000).map(number).collect()
}

/// Fits the same rows in one go and in several splits and orders, and merges them with `merge_state`; the states must
/// be the same. Gives the state.
pub(crate) fn fit_alike(fit: &dyn Fit, arguments: &[Given]) -> StructArray {
    let whole = fit_in_parts(fit, arguments, 1, 0).unwrap();
    for (seed, parts) in [1, 2, 7, 64].into_iter().enumerate() {
        let other = fit_in_parts(fit, arguments, parts, 11 + seed as u64).unwrap();
        assert_eq!(&whole, &other, "{} in {parts} parts", fit.spec().name);
    }
    let rows = arguments.iter().find_map(|argument| match argument {
        Given::Column(column) => Some(column.len()),
        Given::Constant(_) => None,
    });
    let cut = rows.unwrap_or(0) / 3;
    let part = |offset: usize, length: usize| {
        let slice = |argument: &Given| match argument {
            Given::Column(column) => Given::Column(column.slice(offset, length)),
            constant => constant.clone(),
        };
        let arguments: Vec<Given> = arguments.iter().map(slice).collect();
        fit_in_parts(fit, &arguments, 1, 0).unwrap().as_struct().clone()
    };
    let (first, second) = (part(0, cut), part(cut, rows.unwrap_or(0) - cut));
    assert_eq!(&merge_states(fit, &[second, first]).unwrap(), &whole, "{} with merge_state", fit.spec().name);
    whole.as_struct().clone()
}
