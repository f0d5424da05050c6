//! `quantile(state, p)` and `quantile_rank(state, x)`: reading a distribution.

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::constants::Constants;
use crate::numbers::{float_values, number_argument};
use crate::quantile::distribution::{Distribution, Interpolation, interpolation_parameter};
use crate::quantile::fit::QuantileSketch;
use crate::scalar::Kernel;
use crate::spec::{Spec, required};
use crate::state::{StateCache, check_state_type};
use crate::summary::outcome;

static QUANTILE: Spec = Spec {
    name: "quantile",
    section: "Quantiles",
    summary: "The value below which the share p of the rows lies; null for a null p or a fit of no rows.",
    parameters: &[
        required("state", "The result of fit_quantile_sketch."),
        required("p", "A number between 0 and 1."),
        interpolation_parameter("'linear'"),
    ],
    example: "select quantile(fit_quantile_sketch(x), 0.5) from (values (1.0), (2.0), (4.0)) t(x); -- 2.0",
};

static RANK: Spec = Spec {
    name: "quantile_rank",
    section: "Quantiles",
    summary: "The share of the rows that are at most x, between 0 and 1; null for null, NaN and a fit of no rows.",
    parameters: &[required("state", "The result of fit_quantile_sketch."), required("x", "A number.")],
    example: "select quantile_rank(fit_quantile_sketch(x), 2.5) from (values (1.0), (2.0), (4.0), (8.0)) t(x); -- 0.5",
};

/// The type of a state, and the number that follows it.
fn coerce(spec: &Spec, types: &[DataType]) -> Result<Vec<DataType>> {
    let mut types = types.to_vec();
    check_state_type(spec.name, &types[0], &["lows", "counts"])?;
    types[1] = number_argument(spec, spec.parameters[1].name, &types[1])?;
    Ok(types)
}

/// Applies a distribution to the numbers of the second argument.
fn each(
    cache: &StateCache<Distribution>,
    arguments: &[ColumnarValue],
    rows: usize,
    value: impl Fn(&Distribution, f64) -> Result<Option<f64>>,
) -> Result<ArrayRef> {
    let values = float_values(&arguments[1].to_array(rows)?)?;
    cache.apply(&arguments[0], rows, &DataType::Float64, outcome::<QuantileSketch>, |found, range| {
        let part = values.slice(range.start, range.len());
        let value = |number: Option<f64>| match number.filter(|number| !number.is_nan()) {
            Some(number) => value(found, number),
            None => Ok(None),
        };
        Ok(Arc::new(part.iter().map(value).collect::<Result<Float64Array>>()?))
    })
}

/// `quantile`.
#[derive(Debug, Default)]
pub(crate) struct Quantile {
    cache: StateCache<Distribution>,
}

impl Kernel for Quantile {
    fn spec(&self) -> &'static Spec {
        &QUANTILE
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(&QUANTILE, types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        Interpolation::read(constants)?;
        if !constants.is_varying("p") {
            constants.float_within("p", 0.0, 1.0)?;
        }
        Ok(Arc::new(Field::new(QUANTILE.name, DataType::Float64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let interpolation = Interpolation::read(constants)?.unwrap_or(Interpolation::Linear);
        each(&self.cache, arguments, rows, |found, share| match (0.0..=1.0).contains(&share) {
            true => Ok(found.quantile(share, interpolation)),
            false => exec_err!("p of quantile must be between 0 and 1: it is {share}"),
        })
    }
}

/// `quantile_rank`.
#[derive(Debug, Default)]
pub(crate) struct QuantileRank {
    cache: StateCache<Distribution>,
}

impl Kernel for QuantileRank {
    fn spec(&self) -> &'static Spec {
        &RANK
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(&RANK, types)
    }

    fn result(&self, _fields: &[FieldRef], _constants: &Constants) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(RANK.name, DataType::Float64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, _constants: &Constants) -> Result<ArrayRef> {
        each(&self.cache, arguments, rows, |found, value| Ok(found.rank(value)))
    }
}
