//! Fits of one numeric column that read their result from a statistic of it: the part that they share.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray, StructArray};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::aggregate::{Accumulate, Fit};
use crate::constants::Constants;
use crate::numbers::{float_values, number_argument};
use crate::spec::Spec;
use crate::state::{KIND, StateReader, state_row, state_type};

/// Named columns of one row.
pub(crate) type Columns = Vec<(&'static str, ArrayRef)>;

/// What is gathered of the rows: it can be merged, and does not depend on their order.
pub(crate) trait Statistic: Debug + Sized + Send + Sync + 'static {
    /// What is known when all rows are in.
    type Outcome;

    /// The fields of a state that hold it.
    fn fields() -> Vec<(&'static str, DataType)>;

    /// Of no rows, with the options of a call.
    fn new(constants: &Constants) -> Result<Self>;

    /// From a state.
    fn read(state: &StateReader<'_>) -> Result<Self>;

    /// Takes the numbers of an array; null and NaN are missing, and so are infinities if `finite`.
    fn update(&mut self, values: &Float64Array, finite: bool);

    /// Takes all that another one has.
    fn merge(&mut self, other: Self) -> Result<()>;

    /// Gets ready for a partial state.
    fn settle(&mut self) {}

    /// Puts everything together.
    fn finish(&mut self) -> Self::Outcome;

    /// The columns of the fields, settled before; `None` stands for a partial state.
    fn columns(&self, outcome: Option<&Self::Outcome>) -> Result<Columns>;

    /// Bytes held on the heap.
    fn heap_size(&self) -> usize {
        0
    }
}

/// The options of a fit, and what it reads from a statistic. The first argument of the call is the column.
pub(crate) trait Summary: Debug + Clone + PartialEq + Send + Sync + 'static {
    /// What it is read from.
    type Statistic: Statistic;

    /// The word in the `kind` field of the state.
    const KIND: &'static str;
    /// Whether infinities are missing values.
    const FINITE: bool;

    /// The public face.
    fn spec() -> &'static Spec;

    /// The fields of the state before those of the statistic: options, then results.
    fn fields() -> Vec<(&'static str, DataType)>;

    /// Reads the options of a call.
    fn read(constants: &Constants) -> Result<Self>;

    /// Reads the options of a state.
    fn resume(state: &StateReader<'_>) -> Result<Self>;

    /// The columns of the fields, one row; in a partial state (`None`) the results are null.
    fn columns(&self, outcome: Option<&<Self::Statistic as Statistic>::Outcome>) -> Result<Columns>;
}

/// Makes a summary a fit.
#[derive(Debug)]
pub(crate) struct SummaryFit<S>(PhantomData<S>);

impl<S> SummaryFit<S> {
    /// The fit.
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<S: Summary> Fit for SummaryFit<S> {
    fn spec(&self) -> &'static Spec {
        S::spec()
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = number_argument(S::spec(), S::spec().parameters[0].name, &types[0])?;
        Ok(types)
    }

    fn state_type(&self, _types: &[DataType]) -> Result<DataType> {
        let fields: Vec<_> = S::fields().into_iter().chain(S::Statistic::fields()).collect();
        Ok(state_type(&fields))
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        S::read(constants)?;
        S::Statistic::new(constants).map(|_| ())
    }

    fn accumulate(&self, _types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        let statistic = S::Statistic::new(constants)?;
        Ok(Box::new(Summarising { summary: S::read(constants)?, statistic }))
    }

    fn kind(&self) -> Option<&'static str> {
        Some(S::KIND)
    }

    fn resume(&self, state: &StructArray) -> Result<Box<dyn Accumulate>> {
        match Summarising::<S>::open(state, 0)? {
            Some(fit) => Ok(Box::new(fit)),
            None => exec_err!("the state of {} is null", S::spec().name),
        }
    }
}

#[derive(Debug)]
struct Summarising<S: Summary> {
    summary: S,
    statistic: S::Statistic,
}

impl<S: Summary> Summarising<S> {
    /// A fit that goes on from a row of states.
    fn open(state: &StructArray, row: usize) -> Result<Option<Self>> {
        let Some(reader) = StateReader::open(state, row, S::KIND)? else { return Ok(None) };
        Ok(Some(Self { summary: S::resume(&reader)?, statistic: S::Statistic::read(&reader)? }))
    }

    fn row(&self, outcome: Option<&<S::Statistic as Statistic>::Outcome>) -> Result<StructArray> {
        let mut columns = self.summary.columns(outcome)?;
        columns.extend(self.statistic.columns(outcome)?);
        state_row(S::KIND, columns)
    }
}

impl<S: Summary> Accumulate for Summarising<S> {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.statistic.update(&float_values(&columns[0])?, S::FINITE);
        Ok(())
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        for row in 0..states.len() {
            let Some(other) = Self::open(states, row)? else { continue };
            if other.summary != self.summary {
                return exec_err!("states of {} with different options cannot be merged", S::spec().name);
            }
            self.statistic.merge(other.statistic)?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<StructArray> {
        self.statistic.settle();
        self.row(None)
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let outcome = self.statistic.finish();
        Ok(Arc::new(self.row(Some(&outcome))?))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.statistic.heap_size()
    }
}

/// What a state of a summary knows in the end.
pub(crate) fn outcome<S: Summary>(
    state: &StructArray,
    row: usize,
) -> Result<Option<<S::Statistic as Statistic>::Outcome>> {
    Ok(Summarising::<S>::open(state, row)?.map(|mut fit| fit.statistic.finish()))
}

/// One number as a column, or null.
pub(crate) fn one(number: Option<f64>) -> ArrayRef {
    Arc::new(Float64Array::from(vec![number]))
}

/// One count as a column.
pub(crate) fn count(number: u64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![i64::try_from(number).unwrap_or(i64::MAX)]))
}

/// One text as a column.
pub(crate) fn text(text: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![text]))
}

/// Whether a state is of one of several kinds; an error if it is of none, `None` if there is no state.
pub(crate) fn kind_of<'a>(state: &'a StructArray, row: usize, kinds: &[&'a str]) -> Result<Option<&'a str>> {
    let found = state.column_by_name(KIND).and_then(|kinds| kinds.as_string_opt::<i32>());
    let Some(found) = found else { return exec_err!("the state has no kind") };
    if state.is_null(row) || found.is_null(row) {
        return Ok(None);
    }
    match kinds.iter().find(|kind| **kind == found.value(row)) {
        Some(kind) => Ok(Some(kind)),
        None => exec_err!("the state is of the kind '{}', and one of {} is needed", found.value(row), kinds.join(", ")),
    }
}
