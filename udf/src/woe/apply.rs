//! `woe_apply(state, x[, unseen, missing])`.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::category_counts::read_categories;
use crate::category_table::{CategoryTable, applied_type};
use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};
use crate::state::{StateCache, StateReader, check_state_type};
use crate::woe::fit::KIND;

static SPEC: Spec = Spec {
    name: "woe_apply",
    section: "Weight of evidence",
    summary: "The weight of evidence of a category, as fitted by fit_woe.",
    parameters: &[
        required("state", "The result of fit_woe."),
        required("x", "A category, as in the fit."),
        optional(
            "unseen",
            "0.0",
            "What a category has that the fit has not seen: a number, 'null', 'min' or 'max' (the smallest or largest \
             weight, as in toad), or 'error'.",
        ),
        optional(
            "missing",
            "'weight'",
            "What null and NaN have: their 'weight' (if the fit has seen any, else what unseen says), a number, 'null' \
             or 'error'.",
        ),
    ],
    example: "select woe_apply((select fit_woe(city, y) from t), city) from t;",
};

/// The weight of a category.
#[derive(Debug, Default)]
pub(crate) struct WoeApply {
    states: StateCache<Weights>,
}

#[derive(Debug)]
struct Weights {
    table: CategoryTable,
    weights: Vec<f64>,
    missing: Option<f64>,
}

impl Weights {
    fn decode(states: &StructArray, row: usize) -> Result<Option<Self>> {
        let Some(state) = StateReader::open(states, row, KIND)? else { return Ok(None) };
        let (values, _) = read_categories(&state)?;
        let mut weights = state.given("weights", state.floats("weights")?)?;
        if values.len() != weights.len() {
            return exec_err!("the state must have a weight for each category");
        }
        let missing = if values.null_count() > 0 { weights.pop() } else { None };
        let table = CategoryTable::new(&values.slice(0, weights.len()))?;
        Ok(Some(Self { table, weights, missing }))
    }

    /// The smallest or largest weight; 0 if there is none.
    fn extreme(&self, of: fn(f64, f64) -> f64) -> f64 {
        self.weights.iter().copied().chain(self.missing).reduce(of).unwrap_or(0.0)
    }
}

/// What is given where there is no weight.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fallback {
    Number(f64),
    Null,
    Min,
    Max,
    Error,
    /// The weight of null, or what is given for the unseen.
    Weight,
}

const UNSEEN: [(&str, Fallback); 4] =
    [("null", Fallback::Null), ("min", Fallback::Min), ("max", Fallback::Max), ("error", Fallback::Error)];
const MISSING: [(&str, Fallback); 3] =
    [("weight", Fallback::Weight), ("null", Fallback::Null), ("error", Fallback::Error)];

fn fallback(constants: &Constants, parameter: &str, names: &[(&str, Fallback)], default: Fallback) -> Result<Fallback> {
    Ok(match constants.value(parameter)? {
        None => default,
        Some(value) if value.data_type().is_numeric() => constants.float(parameter)?.map_or(default, Fallback::Number),
        Some(_) => constants.choice(parameter, names)?.unwrap_or(default),
    })
}

fn options(constants: &Constants) -> Result<(Fallback, Fallback)> {
    Ok((
        fallback(constants, "unseen", &UNSEEN, Fallback::Number(0.0))?,
        fallback(constants, "missing", &MISSING, Fallback::Weight)?,
    ))
}

/// No weight has these bits: they mark rows that are null or an error until all rows are mapped.
const NULL_BITS: u64 = 0x7ff8_0000_0000_0001;
const UNSEEN_BITS: u64 = 0x7ff8_0000_0000_0002;
const MISSING_BITS: u64 = 0x7ff8_0000_0000_0003;

fn apply(weights: &Weights, x: &ArrayRef, unseen: Fallback, missing: Fallback) -> Result<ArrayRef> {
    let value = |fallback: Fallback, error: u64| match fallback {
        Fallback::Number(number) => number,
        Fallback::Null | Fallback::Weight => f64::from_bits(NULL_BITS),
        Fallback::Min => weights.extreme(f64::min),
        Fallback::Max => weights.extreme(f64::max),
        Fallback::Error => f64::from_bits(error),
    };
    let of_unseen = value(unseen, UNSEEN_BITS);
    let of_missing = match missing {
        Fallback::Weight => weights.missing.unwrap_or(of_unseen),
        other => value(other, MISSING_BITS),
    };
    let mapped = weights.table.map(x, &weights.weights, of_unseen, of_missing)?;
    if !of_unseen.is_nan() && !of_missing.is_nan() {
        return Ok(Arc::new(Float64Array::from(mapped)));
    }
    if let Some(row) = mapped.iter().position(|weight| weight.to_bits() == UNSEEN_BITS) {
        let text = cast(&x.slice(row, 1), &DataType::Utf8)?;
        let text = text.as_string::<i32>();
        let shown = if text.is_null(0) { "NULL" } else { text.value(0) };
        return exec_err!("unseen of woe_apply is 'error', and the fit has not seen the category '{shown}'");
    }
    if mapped.iter().any(|weight| weight.to_bits() == MISSING_BITS) {
        return exec_err!("missing of woe_apply is 'error', and x is null or NaN in a row");
    }
    let weight = |weight: f64| Some(weight).filter(|weight| weight.to_bits() != NULL_BITS);
    Ok(Arc::new(mapped.into_iter().map(weight).collect::<arrow::array::PrimitiveArray<Float64Type>>()))
}

impl Kernel for WoeApply {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        check_state_type(SPEC.name, &types[0], &["categories", "weights"])?;
        types[1] = applied_type(SPEC.name, &types[0], "categories", &types[1])?;
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        if !constants.is_varying("unseen") && !constants.is_varying("missing") {
            options(constants)?;
        }
        Ok(Arc::new(Field::new(SPEC.name, DataType::Float64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let x = arguments[1].to_array(rows)?;
        let (unseen, missing) = options(constants)?;
        self.states.apply(&arguments[0], rows, &DataType::Float64, Weights::decode, |weights, range| {
            apply(weights, &x.slice(range.start, range.len()), unseen, missing)
        })
    }
}
