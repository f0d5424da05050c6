//! `binned_counts(x, edges, y[, weight, special, closed])`.

use arrow::array::{Array, ArrayRef, Float64Array, StringArray, StructArray};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

use crate::aggregate::{Accumulate, Fit};
use crate::bin_numbers::{BinNumbers, edges_option, interval, special_option};
use crate::class_counts::{Labels, Tally, read_tallies, tally_columns, tally_fields, target_argument};
use crate::constants::Constants;
use crate::numbers::float_values;
use crate::numbers::{Closed, number_argument};
use crate::spec::{Spec, optional, required};
use crate::state::{StateReader, list_of, one_list, state_row, state_type, struct_array, struct_of};

/// The kind of its states.
pub(crate) const KIND: &str = "binned_counts/1";

static SPEC: Spec = Spec {
    name: "binned_counts",
    section: "Binning",
    summary: "Counts of events and non-events in each bin of a number: the bins between the edges, one bin for each \
              special code, and one for null and NaN. The state has them in `bins`, in that order. Rows whose y or \
              weight is null do not count. States merge.",
    parameters: &[
        required("x", "A number."),
        required("edges", "A constant list of numbers that ascends strictly."),
        required("y", "The target: a boolean, or 0 or 1."),
        optional("weight", "NULL", "The weight of a row, at least 0; its sums are exact."),
        optional("special", "[]", "A constant list of codes; each has its own bin, whatever the edges say."),
        optional("closed", "'left'", "Which end of a bin belongs to it: 'left' or 'right'."),
    ],
    example: "select binned_counts(x, [0.0, 10.0], y) from (values (5.0, 1), (12.0, 0), (NULL, 1)) as t(x, y);",
};

/// The fit.
#[derive(Debug)]
pub(crate) struct BinnedCounts;

#[derive(Debug, Clone, PartialEq)]
struct Options {
    edges: Vec<f64>,
    closed: Closed,
    special: Vec<f64>,
}

impl Options {
    fn read(constants: &Constants) -> Result<Self> {
        let edges = constants.given("edges", edges_option(constants, "edges")?)?;
        let closed = constants.choice("closed", &Closed::NAMES)?.unwrap_or(Closed::Left);
        Ok(Self { edges, closed, special: special_option(constants)? })
    }

    fn resume(state: &StateReader<'_>) -> Result<Self> {
        let closed = match state.given("closed", state.text("closed")?)?.as_str() {
            "left" => Closed::Left,
            "right" => Closed::Right,
            other => return exec_err!("the field closed of the state must be left or right: it is '{other}'"),
        };
        let edges = state.given("edges", state.floats("edges")?)?;
        Ok(Self { edges, closed, special: state.given("special", state.floats("special")?)? })
    }

    fn labels(&self) -> Vec<String> {
        let number = |number: f64| number.to_string();
        let mut labels: Vec<String> =
            (0..=self.edges.len()).map(|bin| interval(&self.edges, bin, self.closed, number)).collect();
        labels.extend(self.special.iter().map(|code| format!("special {code}")));
        labels.push("missing".to_string());
        labels
    }
}

impl Fit for BinnedCounts {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = number_argument(&SPEC, "x", &types[0])?;
        types[2] = target_argument(&SPEC, "y", &types[2])?;
        if let Some(weight) = types.get_mut(3).filter(|weight| !weight.is_null()) {
            *weight = number_argument(&SPEC, "weight", weight)?;
        }
        Ok(types)
    }

    fn state_type(&self, types: &[DataType]) -> Result<DataType> {
        let mut bin = vec![("label", DataType::Utf8)];
        bin.extend(tally_fields(is_weighted(types)));
        Ok(state_type(&[
            ("edges", list_of(DataType::Float64)),
            ("closed", DataType::Utf8),
            ("special", list_of(DataType::Float64)),
            ("bins", list_of(struct_of(&bin))),
        ]))
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        // Lists of literals are folded to constants after a first look.
        match ["edges", "special", "closed"].iter().any(|parameter| constants.is_varying(parameter)) {
            true => Ok(()),
            false => Options::read(constants).map(|_| ()),
        }
    }

    fn accumulate(&self, types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        Ok(Box::new(Counting::new(Options::read(constants)?, is_weighted(types))))
    }

    fn kind(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn resume(&self, state: &StructArray) -> Result<Box<dyn Accumulate>> {
        let Some(reader) = StateReader::open(state, 0, KIND)? else { return exec_err!("the state is null") };
        let bins = reader.given("bins", reader.structs("bins")?)?;
        let weighted = bins.column_by_name("event_weight").is_some();
        let mut counting = Counting::new(Options::resume(&reader)?, weighted);
        counting.merge(state)?;
        Ok(Box::new(counting))
    }
}

fn is_weighted(types: &[DataType]) -> bool {
    types.get(3).is_some_and(|weight| !weight.is_null())
}

#[derive(Debug)]
struct Counting {
    options: Options,
    bins: BinNumbers,
    weighted: bool,
    tallies: Vec<Tally>,
}

impl Counting {
    fn new(options: Options, weighted: bool) -> Self {
        let bins = BinNumbers::new(&options.edges, options.closed, &options.special);
        let tallies = vec![Tally::default(); bins.len()];
        Self { options, bins, weighted, tallies }
    }
}

impl Accumulate for Counting {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let labels = Labels::read(&SPEC, &columns[2], columns.get(3).filter(|_| self.weighted))?;
        let numbers = self.bins.numbers(&float_values(&columns[0])?);
        for (row, number) in numbers.into_iter().enumerate() {
            if let Some((event, weight)) = labels.row(row) {
                self.tallies[number as usize].add(event, weight);
            }
        }
        Ok(())
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        for row in 0..states.len() {
            let Some(state) = StateReader::open(states, row, KIND)? else { continue };
            if Options::resume(&state)? != self.options {
                return exec_err!(
                    "states of binned_counts with other edges, special codes or closed ends do not merge"
                );
            }
            let tallies = read_tallies(&state.given("bins", state.structs("bins")?)?)?;
            if tallies.len() != self.tallies.len() {
                return exec_err!("the state must have {} bins: it has {}", self.tallies.len(), tallies.len());
            }
            self.tallies.iter_mut().zip(&tallies).for_each(|(tally, other)| tally.merge(other));
        }
        Ok(())
    }

    fn state(&mut self) -> Result<StructArray> {
        let list = |numbers: &[f64]| one_list(Arc::new(Float64Array::from(numbers.to_vec())));
        let closed = match self.options.closed {
            Closed::Left => "left",
            Closed::Right => "right",
        };
        let label: ArrayRef = Arc::new(StringArray::from(self.options.labels()));
        let mut bins = vec![("label", label)];
        let tallies: Vec<&Tally> = self.tallies.iter().collect();
        bins.extend(tally_columns(&tallies, self.weighted));
        state_row(
            KIND,
            vec![
                ("edges", list(&self.options.edges)),
                ("closed", Arc::new(StringArray::from(vec![closed]))),
                ("special", list(&self.options.special)),
                ("bins", one_list(Arc::new(struct_array(bins)?))),
            ],
        )
    }

    fn size(&self) -> usize {
        let heap: usize = self.tallies.iter().map(Tally::heap_size).sum();
        self.tallies.capacity() * size_of::<Tally>() + heap
    }
}
