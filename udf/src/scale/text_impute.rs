//! The part of `fit_imputer` for texts: each distinct text is counted, so that the state grows with the distinct texts.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray, StructArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

use crate::aggregate::{Accumulate, Fit};
use crate::category::{CategoryIndex, MISSING};
use crate::constants::Constants;
use crate::scale::impute::{SPEC, Strategy};
use crate::spec::Spec;
use crate::state::{StateReader, list_of, one_list, state_row, state_type};
use crate::summary::{count, text};

/// The kind of the states.
pub(crate) const KIND: &str = "text_imputer/1";

/// `fit_imputer` of texts.
#[derive(Debug)]
pub(crate) struct TextImputer;

impl Fit for TextImputer {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn state_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(state_type(&[
            ("strategy", DataType::Utf8),
            ("fill", DataType::Utf8),
            ("mergeable", DataType::Boolean),
            ("rows", DataType::Int64),
            ("missing", DataType::Int64),
            ("values", list_of(DataType::Utf8)),
            ("counts", list_of(DataType::Int64)),
        ]))
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        let strategy = Strategy::read(constants)?;
        if matches!(strategy, Strategy::Mean | Strategy::Median) {
            return Err(constants.error("strategy", "must be 'mode' or 'constant' for texts"));
        }
        for parameter in ["method", "epsilon"] {
            if constants.is_given(parameter) {
                return Err(constants.error(parameter, "must be left out for texts"));
            }
        }
        Ok(())
    }

    fn accumulate(&self, _types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        self.check(constants)?;
        let (strategy, fill) = (Strategy::read(constants)?, constants.text("fill")?);
        let mergeable = constants.boolean("mergeable")?.unwrap_or(true);
        Ok(Box::new(Texts::new(Options { strategy, fill, mergeable })))
    }

    fn kind(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn resume(&self, state: &StructArray) -> Result<Box<dyn Accumulate>> {
        let Some(reader) = StateReader::open(state, 0, KIND)? else {
            return exec_err!("the state of {} is null", SPEC.name);
        };
        let mut texts = Texts::new(Options::resume(&reader)?);
        texts.merge(state)?;
        Ok(Box::new(texts))
    }
}

#[derive(Debug, PartialEq)]
struct Options {
    strategy: Strategy,
    /// The replacement for the strategy `Constant`.
    fill: Option<String>,
    mergeable: bool,
}

impl Options {
    fn resume(state: &StateReader<'_>) -> Result<Self> {
        let strategy = Strategy::resume(state)?;
        let fill = if strategy == Strategy::Constant { state.text("fill")? } else { None };
        Ok(Self { strategy, fill, mergeable: state.given("mergeable", state.boolean("mergeable")?)? })
    }
}

#[derive(Debug)]
struct Texts {
    options: Options,
    rows: u64,
    missing: u64,
    index: CategoryIndex,
    counts: Vec<u64>,
}

impl Texts {
    fn new(options: Options) -> Self {
        Self { options, rows: 0, missing: 0, index: CategoryIndex::new(&DataType::Utf8), counts: Vec::new() }
    }

    fn count(&mut self, values: &ArrayRef, counts: Option<&[i64]>) -> Result<()> {
        let numbers = self.index.insert(values)?;
        self.counts.resize(self.index.len(), 0);
        for (row, number) in numbers.into_iter().enumerate().filter(|(_, number)| *number != MISSING) {
            let count = counts.map_or(1, |counts| counts[row].max(0) as u64);
            let known = &mut self.counts[number as usize];
            *known = known.saturating_add(count);
        }
        Ok(())
    }

    /// The most frequent text; of several, the one that is first in the order of bytes.
    fn mode(&self, texts: &StringArray, order: &[u32]) -> Option<String> {
        let most = order.iter().map(|number| self.counts[*number as usize]).max()?;
        let place = order.iter().position(|number| self.counts[*number as usize] == most)?;
        Some(texts.value(place).to_string())
    }

    fn row(&self, partial: bool) -> Result<StructArray> {
        let order = self.index.sorted();
        let texts = self.index.values_of(order.iter().copied())?;
        let counts = Int64Array::from_iter_values(order.iter().map(|number| self.counts[*number as usize] as i64));
        let fill = match self.options.strategy {
            Strategy::Constant => self.options.fill.clone(),
            _ if partial => None,
            _ => self.mode(texts.as_string::<i32>(), &order),
        };
        let kept = partial || self.options.mergeable;
        let list = |values: ArrayRef| match kept {
            true => one_list(values),
            false => new_null_array(&list_of(values.data_type().clone()), 1),
        };
        state_row(
            KIND,
            vec![
                ("strategy", text(self.options.strategy.name())),
                ("fill", Arc::new(StringArray::from(vec![fill]))),
                ("mergeable", Arc::new(BooleanArray::from(vec![self.options.mergeable]))),
                ("rows", count(self.rows)),
                ("missing", count(self.missing)),
                ("values", list(texts)),
                ("counts", list(Arc::new(counts))),
            ],
        )
    }
}

impl Accumulate for Texts {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let values = &columns[0];
        // A dictionary may have nulls among its values.
        let missing = values.logical_null_count() as u64;
        self.missing += missing;
        self.rows += values.len() as u64 - missing;
        if self.options.strategy == Strategy::Mode {
            self.count(values, None)?;
        }
        Ok(())
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        for row in 0..states.len() {
            let Some(reader) = StateReader::open(states, row, KIND)? else { continue };
            if Options::resume(&reader)? != self.options {
                return exec_err!("states of {} with different options cannot be merged", SPEC.name);
            }
            let (Some(values), Some(counts)) = (reader.list("values")?, reader.integers("counts")?) else {
                return exec_err!("the state was fitted with mergeable => false and cannot be merged");
            };
            if values.len() != counts.len() {
                return exec_err!("the values and counts of the state do not fit together");
            }
            let number = |field: &str| -> Result<u64> { Ok(reader.integer(field)?.unwrap_or(0).max(0) as u64) };
            self.rows = self.rows.saturating_add(number("rows")?);
            self.missing = self.missing.saturating_add(number("missing")?);
            self.count(&cast(&values, &DataType::Utf8)?, Some(&counts))?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<StructArray> {
        self.row(true)
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(self.row(false)?))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.index.size() + self.counts.capacity() * size_of::<u64>()
    }
}
