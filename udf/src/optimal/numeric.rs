//! `fit_optimal_bins(x, y[, …])`: optimal bins of a number.

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, StructArray};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

use crate::aggregate::{Accumulate, Fit};
use crate::bin_numbers::{BinNumbers, special_option};
use crate::class_counts::{ClassCounts, Labels, read_counts, target_argument};
use crate::constants::Constants;
use crate::grid::{CELLS, Grid, MOST_CELLS};
use crate::numbers::float_values;
use crate::numbers::{Closed, number_argument};
use crate::optimal::fitted::{counts_list, counts_type, no_result, result_columns, result_fields};
use crate::optimal::options::{
    MAX_BINS, MAX_P_VALUE, MAX_PREBINS, MIN_BIN_SIZE, MIN_BINS, MIN_EVENTS, MIN_NONEVENTS, MIN_PREBIN_SIZE,
    MIN_RATE_DIFFERENCE, Options, PREBINNING, Trend,
};
use crate::optimal::prebin::{Values, optimal_bins};
use crate::spec::{Spec, optional, required};
use crate::state::{StateReader, list_of, one_list, state_row, state_type};

/// The kind of its states.
pub(crate) const KIND: &str = "optimal_bins/1";

static SPEC: Spec = Spec {
    name: "fit_optimal_bins",
    section: "Binning",
    summary: "The bins of a number with the most information value about a binary target among all that satisfy the \
              options, found exactly: the bins of optbinning's OptimalBinning with its CP solver. Pre-bins without \
              events or without non-events are merged with a neighbour first. Every special code has its own bin, and \
              so have null and NaN. Rows whose y is null do not count. If no bins satisfy the options, the field \
              `status` is 'infeasible' and there is one bin. Information value counts in millionths; of bins with \
              equal value the fewest are taken. States merge.",
    parameters: &[
        required("x", "A number."),
        required("y", "The target: a boolean, or 0 or 1; both must occur."),
        optional(
            "trend",
            "'auto'",
            "How event rates change from bin to bin: 'ascending', 'descending', 'peak' (up, then down), 'valley', \
             'none' (any way) or 'auto', the one of the first four with the most information value. optbinning's \
             'auto' guesses one of them from the pre-bins instead.",
        ),
        MAX_BINS,
        MIN_BINS,
        MIN_BIN_SIZE,
        MIN_EVENTS,
        MIN_NONEVENTS,
        MIN_RATE_DIFFERENCE,
        MAX_P_VALUE,
        MAX_PREBINS,
        PREBINNING,
        MIN_PREBIN_SIZE,
        optional("special", "[]", "A constant list of codes that are no numbers; each has its own bin."),
        optional(
            "max_distinct",
            "65536",
            "How many distinct numbers are kept apart at most, 2 to 4194304. Beyond it, numbers that agree in the \
             leading bits of their Float64 form are counted together, with as many bits as the limit allows.",
        ),
    ],
    example: "select fit_optimal_bins(x, y, trend => 'ascending', max_bins => 4) from t;",
};

/// The fit.
#[derive(Debug)]
pub(crate) struct OptimalBins;

#[derive(Debug, Clone, PartialEq)]
struct Settings {
    options: Options,
    special: Vec<f64>,
    max_distinct: i64,
}

impl Settings {
    fn read(constants: &Constants) -> Result<Self> {
        let options = Options::read(constants, &Trend::NAMES, Trend::Auto)?;
        let max_distinct = constants.integer_within("max_distinct", 2, MOST_CELLS)?.unwrap_or(CELLS);
        Ok(Self { options, special: special_option(constants)?, max_distinct })
    }

    fn resume(state: &StateReader<'_>) -> Result<Self> {
        let max_distinct = state.given("max_distinct", state.integer("max_distinct")?)?;
        if !(2..=MOST_CELLS).contains(&max_distinct) {
            return exec_err!("the field max_distinct of the state must be 2 to {MOST_CELLS}");
        }
        let special = state.given("special", state.floats("special")?)?;
        Ok(Self { options: Options::resume(state)?, special, max_distinct })
    }
}

impl Fit for OptimalBins {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = number_argument(&SPEC, "x", &types[0])?;
        types[1] = target_argument(&SPEC, "y", &types[1])?;
        Ok(types)
    }

    fn state_type(&self, _types: &[DataType]) -> Result<DataType> {
        let mut fields = Options::fields();
        fields.extend([("special", list_of(DataType::Float64)), ("max_distinct", DataType::Int64)]);
        fields.extend(Grid::fields(false));
        fields.push(("other_counts", counts_type()));
        fields.push(("splits", list_of(DataType::Float64)));
        fields.extend(result_fields());
        Ok(state_type(&fields))
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        // Lists of literals are folded to constants after a first look.
        match Options::are_varying(constants, SPEC.parameters) {
            true => Ok(()),
            false => Settings::read(constants).map(|_| ()),
        }
    }

    fn accumulate(&self, _types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        Ok(Box::new(Fitting::new(Settings::read(constants)?)))
    }

    fn kind(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn resume(&self, state: &StructArray) -> Result<Box<dyn Accumulate>> {
        let Some(reader) = StateReader::open(state, 0, KIND)? else { return exec_err!("the state is null") };
        let mut fitting = Fitting::new(Settings::resume(&reader)?);
        fitting.merge(state)?;
        Ok(Box::new(fitting))
    }
}

#[derive(Debug)]
struct Fitting {
    settings: Settings,
    /// One bin of plain numbers, then the special codes and the missing ones.
    kinds: BinNumbers,
    grid: Grid,
    /// The counts of the special codes, then of null and NaN.
    others: Vec<ClassCounts>,
}

impl Fitting {
    fn new(settings: Settings) -> Self {
        let kinds = BinNumbers::new(&[], Closed::Left, &settings.special);
        let others = vec![ClassCounts::default(); settings.special.len() + 1];
        let grid = Grid::new(settings.max_distinct as usize);
        Self { settings, kinds, grid, others }
    }

    fn total(&self) -> ClassCounts {
        let cells = self.grid.sorted();
        ClassCounts::sum(cells.iter().map(|cell| &cell.tally.counts).chain(&self.others))
    }

    fn columns(&self) -> Result<Vec<(&'static str, ArrayRef)>> {
        let mut columns = self.settings.options.columns();
        columns.push(("special", one_list(Arc::new(Float64Array::from(self.settings.special.clone())))));
        columns.push(("max_distinct", Arc::new(Int64Array::from(vec![self.settings.max_distinct]))));
        columns.extend(self.grid.columns(false)?);
        columns.push(("other_counts", counts_list(&self.others)?));
        Ok(columns)
    }
}

impl Accumulate for Fitting {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let labels = Labels::read(&SPEC, &columns[1], None)?;
        let values = float_values(&columns[0])?;
        for (row, kind) in self.kinds.numbers(&values).into_iter().enumerate() {
            let Some((event, _)) = labels.row(row) else { continue };
            match kind {
                0 => self.grid.count(values.value(row), event, None),
                other => self.others[other as usize - 1].add(event),
            }
        }
        Ok(())
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        for row in 0..states.len() {
            let Some(state) = StateReader::open(states, row, KIND)? else { continue };
            if Settings::resume(&state)? != self.settings {
                return exec_err!("states of fit_optimal_bins with other options do not merge");
            }
            self.grid.merge(&state)?;
            let others = read_counts(&state.given("other_counts", state.structs("other_counts")?)?)?;
            if others.len() != self.others.len() {
                return exec_err!("the field other_counts of the state must have {} rows", self.others.len());
            }
            self.others.iter_mut().zip(&others).for_each(|(counts, other)| counts.merge(other));
        }
        Ok(())
    }

    fn state(&mut self) -> Result<StructArray> {
        let mut columns = self.columns()?;
        columns.push(("splits", arrow::array::new_null_array(&list_of(DataType::Float64), 1)));
        columns.extend(no_result());
        state_row(KIND, columns)
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let total = self.total();
        total.check_classes(SPEC.name)?;
        let mut values = Values { exact: self.grid.level() == 0, ..Values::default() };
        for cell in self.grid.sorted() {
            values.lows.push(cell.low);
            values.highs.push(cell.high);
            values.counts.push(cell.tally.counts);
        }
        let bins = optimal_bins(&values, total.total(), &self.settings.options);
        let mut columns = self.columns()?;
        columns.push(("splits", one_list(Arc::new(Float64Array::from(bins.splits)))));
        columns.extend(result_columns(bins.status, &bins.counts, &self.others)?);
        Ok(Arc::new(state_row(KIND, columns)?))
    }

    fn size(&self) -> usize {
        self.grid.size() + self.others.capacity() * size_of::<ClassCounts>()
    }
}
