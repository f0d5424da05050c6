//! What every function of a binary target counts: events and non-events, with exact sums of their weights, and the
//! columns that hold them in a state.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use datafusion_common::{Result, exec_err, plan_err};
use std::sync::Arc;

use crate::exact_sum::ExactSum;
use crate::spec::Spec;
use crate::state::list_of;

/// How many rows are events (the target is true or 1) and how many are not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ClassCounts {
    pub(crate) events: u64,
    pub(crate) non_events: u64,
}

impl ClassCounts {
    /// Counts one row.
    pub(crate) fn add(&mut self, event: bool) {
        self.events += u64::from(event);
        self.non_events += u64::from(!event);
    }

    /// Adds the rows of another.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.events = self.events.saturating_add(other.events);
        self.non_events = self.non_events.saturating_add(other.non_events);
    }

    /// How many rows there are.
    pub(crate) fn total(&self) -> u64 {
        self.events.saturating_add(self.non_events)
    }

    /// Whether there are both events and non-events, so that the weight of evidence is finite.
    pub(crate) fn is_mixed(&self) -> bool {
        self.events > 0 && self.non_events > 0
    }

    /// The share of events; 0 without rows.
    pub(crate) fn rate(&self) -> f64 {
        if self.total() == 0 { 0.0 } else { self.events as f64 / self.total() as f64 }
    }

    /// The sum of several.
    pub(crate) fn sum<'a>(counts: impl IntoIterator<Item = &'a Self>) -> Self {
        counts.into_iter().fold(Self::default(), |mut sum, counts| {
            sum.merge(counts);
            sum
        })
    }

    /// Refuses a target of one class. No rows at all are no error.
    pub(crate) fn check_classes(&self, function: &str) -> Result<()> {
        match self.total() > 0 && !self.is_mixed() {
            true => {
                let value = u8::from(self.events > 0);
                exec_err!("y of {function} must have both events (1) and non-events (0): it is {value} in every row")
            }
            false => Ok(()),
        }
    }
}

/// Counts, and the sums of weights if the rows have any.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) counts: ClassCounts,
    /// The weights of events and of non-events; boxed, since most calls have none.
    weights: Option<Box<[ExactSum; 2]>>,
}

impl Tally {
    /// Counts one row.
    pub(crate) fn add(&mut self, event: bool, weight: Option<f64>) {
        self.counts.add(event);
        if let Some(weight) = weight {
            self.weights.get_or_insert_default()[usize::from(!event)].add(weight);
        }
    }

    /// Adds the rows of another.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        if let Some(others) = &other.weights {
            let weights = self.weights.get_or_insert_default();
            weights[0].merge(&others[0]);
            weights[1].merge(&others[1]);
        }
    }

    /// The weights of events and of non-events, rounded once.
    pub(crate) fn weights(&self) -> [f64; 2] {
        self.weights.as_ref().map_or([0.0; 2], |weights| [weights[0].value(), weights[1].value()])
    }

    /// Bytes held on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        let sums = self.weights.iter().flat_map(|weights| weights.iter());
        sums.map(|sum| size_of::<ExactSum>() + sum.heap_size()).sum()
    }

    fn parts(&self, class: usize) -> Vec<f64> {
        self.weights.as_ref().map_or_else(Vec::new, |weights| weights[class].canonical())
    }
}

/// The fields of a tally in a state. A weight is its rounded sum and, in `*_rest`, what the rounding left, so that
/// states merge without loss.
pub(crate) fn tally_fields(weighted: bool) -> Vec<(&'static str, DataType)> {
    let mut fields = vec![("events", DataType::Int64), ("non_events", DataType::Int64)];
    if weighted {
        fields.extend([
            ("event_weight", DataType::Float64),
            ("non_event_weight", DataType::Float64),
            ("event_weight_rest", list_of(DataType::Float64)),
            ("non_event_weight_rest", list_of(DataType::Float64)),
        ]);
    }
    fields
}

/// The columns of [`tally_fields`], one row a tally.
pub(crate) fn tally_columns(tallies: &[&Tally], weighted: bool) -> Vec<(&'static str, ArrayRef)> {
    let mut columns = count_columns(tallies.iter().map(|tally| tally.counts));
    if weighted {
        let parts: [Vec<Vec<f64>>; 2] =
            [0, 1].map(|class| tallies.iter().map(|tally| tally.parts(class)).collect::<Vec<_>>());
        for (name, parts) in ["event_weight", "non_event_weight"].into_iter().zip(&parts) {
            let rounded = parts.iter().map(|parts| parts.first().copied().unwrap_or(0.0));
            columns.push((name, Arc::new(Float64Array::from_iter_values(rounded))));
        }
        for (name, parts) in ["event_weight_rest", "non_event_weight_rest"].into_iter().zip(&parts) {
            let rests: Vec<&[f64]> = parts.iter().map(|parts| parts.get(1..).unwrap_or(&[])).collect();
            let field = Arc::new(Field::new_list_field(DataType::Float64, true));
            let offsets = OffsetBuffer::<i32>::from_lengths(rests.iter().map(|rest| rest.len()));
            columns.push((name, Arc::new(ListArray::new(field, offsets, Arc::new(floats(rests.concat())), None))));
        }
    }
    columns
}

fn floats(values: Vec<f64>) -> Float64Array {
    Float64Array::from(values)
}

/// The columns `events` and `non_events`.
pub(crate) fn count_columns(counts: impl Iterator<Item = ClassCounts> + Clone) -> Vec<(&'static str, ArrayRef)> {
    let column = |of: fn(&ClassCounts) -> u64| -> ArrayRef {
        let numbers = counts.clone().map(|counts| i64::try_from(of(&counts)).unwrap_or(i64::MAX));
        Arc::new(Int64Array::from_iter_values(numbers))
    };
    vec![("events", column(|counts| counts.events)), ("non_events", column(|counts| counts.non_events))]
}

fn column_of<'a>(rows: &'a StructArray, field: &str) -> Result<&'a ArrayRef> {
    match rows.column_by_name(field) {
        Some(column) => Ok(column),
        None => exec_err!("the counts of the state have no field {field}"),
    }
}

/// Reads `events` and `non_events`.
pub(crate) fn read_counts(rows: &StructArray) -> Result<Vec<ClassCounts>> {
    let numbers = |field: &str| -> Result<Vec<u64>> {
        let column = cast(column_of(rows, field)?, &DataType::Int64)?;
        let numbers = column.as_primitive::<Int64Type>();
        if numbers.null_count() > 0 || numbers.values().iter().any(|number| *number < 0) {
            return exec_err!("the field {field} of the state must hold counts");
        }
        Ok(numbers.values().iter().map(|number| *number as u64).collect())
    };
    let pairs = numbers("events")?.into_iter().zip(numbers("non_events")?);
    Ok(pairs.map(|(events, non_events)| ClassCounts { events, non_events }).collect())
}

/// Reads the columns of [`tally_fields`].
pub(crate) fn read_tallies(rows: &StructArray) -> Result<Vec<Tally>> {
    let counts = read_counts(rows)?;
    let mut tallies: Vec<Tally> = counts.into_iter().map(|counts| Tally { counts, weights: None }).collect();
    if rows.column_by_name("event_weight").is_none() {
        return Ok(tallies);
    }
    for (class, name) in ["event_weight", "non_event_weight"].into_iter().enumerate() {
        let rounded = cast(column_of(rows, name)?, &DataType::Float64)?;
        let rounded = rounded.as_primitive::<Float64Type>();
        let rests = column_of(rows, &format!("{name}_rest"))?;
        let Some(rests) = rests.as_list_opt::<i32>() else {
            return exec_err!("the field {name}_rest of the state must be a list");
        };
        for (row, tally) in tallies.iter_mut().enumerate() {
            let mut parts = vec![rounded.value(row)];
            if !rests.is_null(row) {
                let rest = cast(&rests.value(row), &DataType::Float64)?;
                parts.extend(rest.as_primitive::<Float64Type>().values());
            }
            tally.weights.get_or_insert_default()[class] = ExactSum::from_canonical(&parts);
        }
    }
    Ok(tallies)
}

/// The type that a binary target is cast to: `Boolean`, or `Float64` for numbers.
pub(crate) fn target_argument(spec: &Spec, parameter: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Dictionary(_, value) => target_argument(spec, parameter, value),
        DataType::Boolean | DataType::Null => Ok(DataType::Boolean),
        data_type if data_type.is_numeric() => Ok(DataType::Float64),
        other => plan_err!("{parameter} of {} must be a boolean, or 0 or 1: it is of type {other}", spec.name),
    }
}

/// Reads a binary target: true or 1 is an event, false or 0 is not, null is unknown.
pub(crate) fn read_target(spec: &Spec, parameter: &str, values: &ArrayRef) -> Result<BooleanArray> {
    if let Some(values) = values.as_boolean_opt() {
        return Ok(values.clone());
    }
    let numbers = cast(values, &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    let wrong = numbers.iter().flatten().find(|number| *number != 0.0 && *number != 1.0);
    match wrong {
        Some(number) => exec_err!("{parameter} of {} must be 0 or 1: it is {number} in a row", spec.name),
        None => Ok(BooleanArray::from_unary(numbers, |number| number == 1.0)),
    }
}

/// The target and the weight of the rows of a batch.
#[derive(Debug)]
pub(crate) struct Labels {
    target: BooleanArray,
    weights: Option<Float64Array>,
}

impl Labels {
    /// Reads the target `y`, and the weights if there are any: finite numbers that are not negative.
    pub(crate) fn read(spec: &Spec, target: &ArrayRef, weights: Option<&ArrayRef>) -> Result<Self> {
        let target = read_target(spec, "y", target)?;
        let Some(weights) = weights else { return Ok(Self { target, weights: None }) };
        let weights = cast(weights, &DataType::Float64)?.as_primitive::<Float64Type>().clone();
        match weights.iter().flatten().find(|weight| !weight.is_finite() || *weight < 0.0) {
            Some(wrong) => exec_err!("weight of {} must be finite and at least 0: it is {wrong} in a row", spec.name),
            None => Ok(Self { target, weights: Some(weights) }),
        }
    }

    /// The target and the weight of a row; `None` if either is null, which means that the row does not count.
    pub(crate) fn row(&self, row: usize) -> Option<(bool, Option<f64>)> {
        if self.target.is_null(row) {
            return None;
        }
        let event = self.target.value(row);
        match &self.weights {
            None => Some((event, None)),
            Some(weights) if weights.is_null(row) => None,
            Some(weights) => Some((event, Some(weights.value(row)))),
        }
    }
}

#[cfg(test)]
mod tests;
