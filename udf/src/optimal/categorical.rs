//! `fit_optimal_categories(x, y[, …])`: optimal bins of categories.

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, StructArray, new_null_array};
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

use crate::aggregate::{Accumulate, Fit};
use crate::category::{CategoryIndex, UNSEEN, category_argument, category_type};
use crate::category_counts::CategoryCounts;
use crate::class_counts::{ClassCounts, Labels, target_argument};
use crate::constants::Constants;
use crate::optimal::dynamic::compare_rates;
use crate::optimal::fitted::{no_result, result_columns, result_fields};
use crate::optimal::options::{
    MAX_BINS, MAX_P_VALUE, MAX_PREBINS, MIN_BIN_SIZE, MIN_BINS, MIN_EVENTS, MIN_NONEVENTS, MIN_PREBIN_SIZE,
    MIN_RATE_DIFFERENCE, Options, PREBINNING, Trend,
};
use crate::optimal::prebin::{Values, optimal_bins, share_of};
use crate::spec::{Spec, optional, required};
use crate::state::{StateReader, list_of, one_list, state_row, state_type};

/// The kind of its states.
pub(crate) const KIND: &str = "optimal_categories/1";

static SPEC: Spec = Spec {
    name: "fit_optimal_categories",
    section: "Binning",
    summary: "Groups of categories with the most information value about a binary target among all that satisfy the \
              options, as optbinning's OptimalBinning(dtype=\"categorical\"): categories in the order of their event \
              rates (then of their values) are cut and merged as fit_optimal_bins does with numbers. Every special \
              category has its own bin, and so has null. Rows whose y is null do not count. States merge.",
    parameters: &[
        required("x", "A category: a text, a number, or anything that has a text."),
        required("y", "The target: a boolean, or 0 or 1; both must occur."),
        optional(
            "trend",
            "'auto'",
            "'ascending', which 'auto' is too: the event rate rises from bin to bin; or 'none'.",
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
        optional("special", "[]", "A constant list of categories; each has its own bin."),
        optional(
            "cat_cutoff",
            "NULL",
            "Categories with a smaller share of the rows (special and missing ones aside) go to one bin of others, 0 \
             to 1; NULL for no such bin.",
        ),
    ],
    example: "select fit_optimal_categories(city, y, cat_cutoff => 0.01) from t;",
};

/// The fit.
#[derive(Debug)]
pub(crate) struct OptimalCategories;

#[derive(Debug, Clone)]
struct Settings {
    options: Options,
    cat_cutoff: Option<f64>,
    special: ArrayRef,
}

impl PartialEq for Settings {
    fn eq(&self, other: &Self) -> bool {
        self.options == other.options && self.cat_cutoff == other.cat_cutoff && *self.special == *other.special
    }
}

impl Settings {
    fn read(constants: &Constants, data_type: &DataType) -> Result<Self> {
        let data_type = category_type(data_type);
        let items = constants.items("special")?.unwrap_or_default();
        let wrong =
            |item: &ScalarValue| constants.error("special", format!("must hold categories of x: it has {item}"));
        let casts = items.iter().map(|item| match item.cast_to(&data_type) {
            Ok(value) if !value.is_null() => Ok(value),
            _ => Err(wrong(item)),
        });
        let casts = casts.collect::<Result<Vec<_>>>()?;
        let special = match casts.is_empty() {
            true => new_null_array(&data_type, 0),
            false => ScalarValue::iter_to_array(casts)?,
        };
        if CategoryIndex::of(&special).is_err() {
            return Err(constants.error("special", "must be distinct categories"));
        }
        Ok(Self {
            options: Options::read(constants, &Trend::OF_CATEGORIES, Trend::Ascending)?,
            cat_cutoff: constants.float_within("cat_cutoff", 0.0, 1.0)?,
            special,
        })
    }

    fn resume(state: &StateReader<'_>) -> Result<Self> {
        let special = state.given("special", state.list("special")?)?;
        Ok(Self { options: Options::resume(state)?, cat_cutoff: state.float("cat_cutoff")?, special })
    }
}

impl Fit for OptimalCategories {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = category_argument(&types[0]);
        types[1] = target_argument(&SPEC, "y", &types[1])?;
        Ok(types)
    }

    fn state_type(&self, types: &[DataType]) -> Result<DataType> {
        let mut fields = Options::fields();
        fields.extend([
            ("cat_cutoff", DataType::Float64),
            ("special", list_of(category_type(&types[0]))),
            CategoryCounts::field(&types[0], false),
            ("groups", list_of(DataType::Int64)),
        ]);
        fields.extend(result_fields());
        Ok(state_type(&fields))
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        // Lists of literals are folded to constants after a first look; what is in them is checked by `accumulate`,
        // which knows the type of x.
        if Options::are_varying(constants, SPEC.parameters) {
            return Ok(());
        }
        constants.float_within("cat_cutoff", 0.0, 1.0)?;
        Options::read(constants, &Trend::OF_CATEGORIES, Trend::Ascending).map(|_| ())
    }

    fn accumulate(&self, types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        let settings = Settings::read(constants, &types[0])?;
        Ok(Box::new(Fitting { settings, counts: CategoryCounts::new(&types[0]) }))
    }

    fn kind(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn resume(&self, state: &StructArray) -> Result<Box<dyn Accumulate>> {
        let Some(reader) = StateReader::open(state, 0, KIND)? else { return exec_err!("the state is null") };
        let settings = Settings::resume(&reader)?;
        let counts = CategoryCounts::new(settings.special.data_type());
        let mut fitting = Fitting { settings, counts };
        fitting.merge(state)?;
        Ok(Box::new(fitting))
    }
}

#[derive(Debug)]
struct Fitting {
    settings: Settings,
    counts: CategoryCounts,
}

impl Fitting {
    fn columns(&self) -> Result<Vec<(&'static str, ArrayRef)>> {
        let mut columns = self.settings.options.columns();
        columns.push(("cat_cutoff", Arc::new(Float64Array::from(vec![self.settings.cat_cutoff]))));
        columns.push(("special", one_list(Arc::clone(&self.settings.special))));
        columns.push(("categories", self.counts.column(false)?));
        Ok(columns)
    }

    fn group(&self) -> Result<Groups> {
        let (values, counts) = self.counts.sorted()?;
        let special = CategoryIndex::of(&self.settings.special)?.lookup(&values)?;
        let rows = self.counts.total().total();
        let mut others = vec![ClassCounts::default(); self.settings.special.len() + 1];
        let mut plain: Vec<usize> = Vec::new();
        for (place, special) in special.iter().enumerate() {
            match *special {
                UNSEEN => plain.push(place),
                code => others[code as usize].merge(&counts[place]),
            }
        }
        let last = others.len() - 1;
        others[last] = self.counts.missing();
        let plain_rows = ClassCounts::sum(plain.iter().map(|place| &counts[*place])).total();
        let cutoff = self.settings.cat_cutoff.map(|share| share_of(share, plain_rows));
        let is_rare = |place: &usize| cutoff.is_some_and(|cutoff| counts[*place].total() < cutoff);
        let (rare, mut kept): (Vec<usize>, Vec<usize>) = plain.into_iter().partition(is_rare);
        if kept.is_empty() && !rare.is_empty() {
            return exec_err!("cat_cutoff of {} must leave a category: all go to the bin of others", SPEC.name);
        }
        kept.sort_by(|left, right| compare_rates(&counts[*left], &counts[*right]));
        let ranks: Vec<f64> = (0..kept.len()).map(|rank| rank as f64).collect();
        let of_kept = kept.iter().map(|place| counts[*place]).collect();
        let ranked = Values { lows: ranks.clone(), highs: ranks, counts: of_kept, exact: true };
        let bins = optimal_bins(&ranked, rows, &self.settings.options);
        let mut groups = Groups { numbers: vec![0; values.len()], status: bins.status, regular: bins.counts, others };
        for (rank, place) in kept.iter().enumerate() {
            groups.numbers[*place] = bins.splits.partition_point(|split| *split <= rank as f64) as i64;
        }
        let found = groups.regular.len();
        if cutoff.is_some() {
            rare.iter().for_each(|place| groups.numbers[*place] = found as i64);
            groups.others.insert(0, ClassCounts::sum(rare.iter().map(|place| &counts[*place])));
        }
        let first_special = found + usize::from(cutoff.is_some());
        for (place, special) in special.iter().enumerate().filter(|(_, special)| **special != UNSEEN) {
            groups.numbers[place] = (first_special + *special as usize) as i64;
        }
        if self.counts.missing().total() > 0 {
            groups.numbers.push((first_special + last) as i64);
        }
        Ok(groups)
    }
}

/// Which bin each category is in.
struct Groups {
    /// By the place of the category in the state.
    numbers: Vec<i64>,
    status: &'static str,
    regular: Vec<ClassCounts>,
    /// The bin of others if there is a cutoff, the special ones, the missing one.
    others: Vec<ClassCounts>,
}

impl Accumulate for Fitting {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let labels = Labels::read(&SPEC, &columns[1], None)?;
        self.counts.update(&columns[0], &labels)
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        for row in 0..states.len() {
            let Some(state) = StateReader::open(states, row, KIND)? else { continue };
            if Settings::resume(&state)? != self.settings {
                return exec_err!("states of {} with other options do not merge", SPEC.name);
            }
            self.counts.merge(&state)?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<StructArray> {
        let mut columns = self.columns()?;
        columns.push(("groups", new_null_array(&list_of(DataType::Int64), 1)));
        columns.extend(no_result());
        state_row(KIND, columns)
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.counts.total().check_classes(SPEC.name)?;
        let groups = self.group()?;
        let mut columns = self.columns()?;
        columns.push(("groups", one_list(Arc::new(Int64Array::from(groups.numbers)))));
        columns.extend(result_columns(groups.status, &groups.regular, &groups.others)?);
        Ok(Arc::new(state_row(KIND, columns)?))
    }

    fn size(&self) -> usize {
        self.counts.size()
    }
}
