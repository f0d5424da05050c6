//! `psi(expected, actual[, epsilon])`: the population stability index of two lists of counts or two states.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::category::{CategoryIndex, UNSEEN};
use crate::category_counts::read_categories;
use crate::class_counts::read_tallies;
use crate::constants::Constants;
use crate::counts::{BINNED, CATEGORIES};
use crate::scalar::Kernel;
use crate::spec::{Parameter, Spec, optional, required};
use crate::state::{KIND, StateReader, list_of};

/// The parameter `epsilon`.
pub(crate) const EPSILON: Parameter = optional(
    "epsilon",
    "0.0001",
    "What a smaller share counts as, so that an empty bin has a finite part in the index; above 0, up to 1.",
);

static SPEC: Spec = Spec {
    name: "psi",
    section: "Metrics",
    summary: "The population stability index: the sum over bins of (actual share - expected share) * ln(actual share / \
              expected share). It is null if either is null or has no rows.",
    parameters: &[
        required("expected", "A list of counts, one a bin, or a state of binned_counts or category_counts."),
        required("actual", "The same, with the same bins; categories meet by value."),
        EPSILON,
    ],
    example: "select psi([50.0, 50.0], [40.0, 60.0]); -- 0.04054651081081642",
};

/// Reads `epsilon`.
pub(crate) fn epsilon(constants: &Constants) -> Result<f64> {
    Ok(constants.float_within("epsilon", f64::MIN_POSITIVE, 1.0)?.unwrap_or(1e-4))
}

/// The index of two lists of counts of the same length; `None` if either has a sum of 0. The shares are not scaled
/// again after small ones are raised.
pub(crate) fn stability_index(expected: &[f64], actual: &[f64], epsilon: f64) -> Option<f64> {
    let totals: (f64, f64) = (expected.iter().sum(), actual.iter().sum());
    if totals.0 <= 0.0 || totals.1 <= 0.0 {
        return None;
    }
    let part = |(expected, actual): (&f64, &f64)| {
        let (expected, actual) = ((expected / totals.0).max(epsilon), (actual / totals.1).max(epsilon));
        (actual - expected) * (actual / expected).ln()
    };
    Some(expected.iter().zip(actual).map(part).sum())
}

/// The function.
#[derive(Debug)]
pub(crate) struct Psi;

fn counts_argument(parameter: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Null => Ok(list_of(DataType::Float64)),
        DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _)
            if element.data_type().is_numeric() || element.data_type().is_null() =>
        {
            Ok(list_of(DataType::Float64))
        }
        DataType::Struct(fields)
            if fields.find(KIND).is_some()
                && (fields.find("bins").is_some() || fields.find("categories").is_some()) =>
        {
            Ok(data_type.clone())
        }
        other => plan_err!(
            "{parameter} of psi must be a list of counts, or a state of binned_counts or category_counts: it is of type \
             {other}"
        ),
    }
}

/// Counts by bin, with the categories that they are of if there are any.
struct Counts {
    numbers: Vec<f64>,
    values: Option<ArrayRef>,
    /// For bins, what tells whether two states have the same.
    bins: Option<StructArray>,
}

fn counts_at(parameter: &str, counts: &ArrayRef, row: usize) -> Result<Option<Counts>> {
    if counts.is_null(row) {
        return Ok(None);
    }
    if let Some(states) = counts.as_struct_opt() {
        return state_counts(states, row);
    }
    let Some(lists) = counts.as_list_opt::<i32>() else {
        return exec_err!("{parameter} of psi must be a list of counts");
    };
    let numbers = cast(&lists.value(row), &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    if let Some(wrong) = numbers.iter().find(|number| !number.is_some_and(|number| number >= 0.0 && number.is_finite()))
    {
        let wrong = wrong.map_or("NULL".to_string(), |wrong| wrong.to_string());
        return exec_err!("{parameter} of psi must hold finite counts of at least 0: it has {wrong}");
    }
    Ok(Some(Counts { numbers: numbers.values().to_vec(), values: None, bins: None }))
}

fn state_counts(states: &StructArray, row: usize) -> Result<Option<Counts>> {
    let totals = |rows: &StructArray| -> Result<Vec<f64>> {
        Ok(read_tallies(rows)?.iter().map(|tally| tally.counts.total() as f64).collect())
    };
    if states.column_by_name("categories").is_some() {
        let Some(state) = StateReader::open(states, row, CATEGORIES)? else { return Ok(None) };
        let (values, tallies) = read_categories(&state)?;
        let numbers = tallies.iter().map(|tally| tally.counts.total() as f64).collect();
        return Ok(Some(Counts { numbers, values: Some(values), bins: None }));
    }
    let Some(state) = StateReader::open(states, row, BINNED)? else { return Ok(None) };
    let bins = state.given("bins", state.structs("bins")?)?;
    Ok(Some(Counts { numbers: totals(&bins)?, values: None, bins: Some(bins) }))
}

/// The counts of two category states by category, null last.
fn aligned(expected: &Counts, actual: &Counts) -> Result<Option<[Vec<f64>; 2]>> {
    let (Some(left), Some(right)) = (&expected.values, &actual.values) else { return Ok(None) };
    let mut index = CategoryIndex::new(left.data_type());
    let numbers = [index.insert(left)?, index.insert(&cast(right, left.data_type())?)?];
    let mut order = vec![0; index.len()];
    for (place, number) in index.sorted().into_iter().enumerate() {
        order[number as usize] = place;
    }
    let mut counts = [vec![0.0; index.len() + 1], vec![0.0; index.len() + 1]];
    for ((numbers, from), counts) in numbers.iter().zip([expected, actual]).zip(&mut counts) {
        for (number, count) in numbers.iter().zip(&from.numbers) {
            let place = if *number < UNSEEN { order[*number as usize] } else { index.len() };
            counts[place] += count;
        }
    }
    Ok(Some(counts))
}

fn index_of(expected: &Counts, actual: &Counts, epsilon: f64) -> Result<Option<f64>> {
    if let Some([expected, actual]) = aligned(expected, actual)? {
        return Ok(stability_index(&expected, &actual, epsilon));
    }
    if expected.numbers.len() != actual.numbers.len() {
        let (left, right) = (expected.numbers.len(), actual.numbers.len());
        return exec_err!("expected and actual of psi must have the same bins: they have {left} and {right}");
    }
    if let (Some(left), Some(right)) = (&expected.bins, &actual.bins)
        && left.column_by_name("label") != right.column_by_name("label")
    {
        return exec_err!("expected and actual of psi must have the same bins: their edges differ");
    }
    Ok(stability_index(&expected.numbers, &actual.numbers, epsilon))
}

impl Kernel for Psi {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = counts_argument("expected", &types[0])?;
        types[1] = counts_argument("actual", &types[1])?;
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        if !constants.is_varying("epsilon") {
            epsilon(constants)?;
        }
        Ok(Arc::new(Field::new(SPEC.name, DataType::Float64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let epsilon = epsilon(constants)?;
        let (expected, actual) = (arguments[0].to_array(rows)?, arguments[1].to_array(rows)?);
        let index = |row: usize| {
            let (Some(expected), Some(actual)) =
                (counts_at("expected", &expected, row)?, counts_at("actual", &actual, row)?)
            else {
                return Ok(None);
            };
            index_of(&expected, &actual, epsilon)
        };
        Ok(Arc::new((0..rows).map(index).collect::<Result<Float64Array>>()?))
    }
}
