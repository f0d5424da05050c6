//! The options of optimal binning: read from a call, written to a state and read back.

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

use crate::constants::Constants;
use crate::spec::{Parameter, optional};
use crate::state::StateReader;

/// How the event rate may change from bin to bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trend {
    /// Whichever of the four shapes has the most information value.
    Auto,
    /// Any way.
    None,
    /// Never down.
    Ascending,
    /// Never up.
    Descending,
    /// Never down, then never up.
    Peak,
    /// Never up, then never down.
    Valley,
}

impl Trend {
    /// The names in SQL.
    pub(crate) const NAMES: [(&'static str, Self); 6] = [
        ("auto", Self::Auto),
        ("none", Self::None),
        ("ascending", Self::Ascending),
        ("descending", Self::Descending),
        ("peak", Self::Peak),
        ("valley", Self::Valley),
    ];

    /// The names that categories take: they come in the order of their event rates.
    pub(crate) const OF_CATEGORIES: [(&'static str, Self); 3] =
        [("auto", Self::Ascending), ("none", Self::None), ("ascending", Self::Ascending)];

    /// The name in SQL.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, trend)| *trend == self).map_or("auto", |(name, _)| name)
    }
}

/// How the values are cut before the optimisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prebinning {
    /// scikit-learn's `DecisionTreeClassifier`, grown best first.
    Cart,
    /// scikit-learn's `KBinsDiscretizer` with averaged quantiles.
    Quantile,
}

impl Prebinning {
    const NAMES: [(&'static str, Self); 2] = [("cart", Self::Cart), ("quantile", Self::Quantile)];
}

/// The most pre-bins: the work grows with their fourth power.
pub(crate) const MOST_PREBINS: i64 = 100;

/// The options of both fits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    pub(crate) trend: Trend,
    pub(crate) max_bins: Option<i64>,
    pub(crate) min_bins: Option<i64>,
    /// A share of all rows.
    pub(crate) min_bin_size: Option<f64>,
    pub(crate) min_events: i64,
    pub(crate) min_nonevents: i64,
    pub(crate) min_rate_difference: f64,
    pub(crate) max_p_value: Option<f64>,
    pub(crate) max_prebins: i64,
    pub(crate) prebinning: Prebinning,
    /// A share of all rows.
    pub(crate) min_prebin_size: f64,
}

/// The parameters of [`Options`], but for `trend`.
pub(crate) const MAX_BINS: Parameter = optional("max_bins", "NULL", "The most bins; NULL for no limit.");
pub(crate) const MIN_BINS: Parameter = optional("min_bins", "NULL", "The fewest bins; NULL for no limit.");
pub(crate) const MIN_BIN_SIZE: Parameter =
    optional("min_bin_size", "NULL", "The smallest bin as a share of all rows, 0 to 0.5; NULL for no limit.");
pub(crate) const MIN_EVENTS: Parameter = optional("min_events", "1", "The fewest events in a bin.");
pub(crate) const MIN_NONEVENTS: Parameter = optional("min_nonevents", "1", "The fewest non-events in a bin.");
pub(crate) const MIN_RATE_DIFFERENCE: Parameter = optional(
    "min_rate_difference",
    "0.0",
    "The least difference between the event rates of neighbouring bins, 0 to 1.",
);
pub(crate) const MAX_P_VALUE: Parameter = optional(
    "max_p_value",
    "NULL",
    "The largest p-value of the two-proportion Z test between neighbouring bins, above 0 and below 1; NULL for no test.",
);
pub(crate) const MAX_PREBINS: Parameter =
    optional("max_prebins", "20", "How many bins the values are first cut into at most, 2 to 100.");
pub(crate) const PREBINNING: Parameter = optional(
    "prebinning",
    "'cart'",
    "How the values are first cut: 'cart' (scikit-learn's DecisionTreeClassifier, grown best first, which compares in \
     single precision) or 'quantile' (KBinsDiscretizer).",
);
pub(crate) const MIN_PREBIN_SIZE: Parameter = optional(
    "min_prebin_size",
    "0.05",
    "The smallest leaf of 'cart' as a share of all rows, special and missing ones too, above 0 and up to 0.5.",
);

impl Options {
    /// Reads the options of a call.
    pub(crate) fn read(constants: &Constants, trends: &[(&str, Trend)], default: Trend) -> Result<Self> {
        let options = Self {
            trend: constants.choice("trend", trends)?.unwrap_or(default),
            max_bins: constants.integer_within("max_bins", 1, i64::MAX)?,
            min_bins: constants.integer_within("min_bins", 1, i64::MAX)?,
            min_bin_size: constants.float_within("min_bin_size", 0.0, 0.5)?,
            min_events: constants.integer_within("min_events", 0, i64::MAX)?.unwrap_or(1),
            min_nonevents: constants.integer_within("min_nonevents", 0, i64::MAX)?.unwrap_or(1),
            min_rate_difference: constants.float_within("min_rate_difference", 0.0, 1.0)?.unwrap_or(0.0),
            max_p_value: constants.float_within("max_p_value", f64::MIN_POSITIVE, 1.0 - f64::EPSILON)?,
            max_prebins: constants.integer_within("max_prebins", 2, MOST_PREBINS)?.unwrap_or(20),
            prebinning: constants.choice("prebinning", &Prebinning::NAMES)?.unwrap_or(Prebinning::Cart),
            min_prebin_size: constants.float_within("min_prebin_size", f64::MIN_POSITIVE, 0.5)?.unwrap_or(0.05),
        };
        match (options.min_bins, options.max_bins) {
            (Some(least), Some(most)) if least > most => {
                Err(constants.error("min_bins", format!("must be at most max_bins, {most}: it is {least}")))
            }
            _ => Ok(options),
        }
    }

    /// Whether any option is not known yet, as a list of literals that is not folded.
    pub(crate) fn are_varying(constants: &Constants, parameters: &[Parameter]) -> bool {
        parameters.iter().skip(2).any(|parameter| constants.is_varying(parameter.name))
    }

    /// The fields of a state.
    pub(crate) fn fields() -> Vec<(&'static str, DataType)> {
        vec![
            ("trend", DataType::Utf8),
            ("max_bins", DataType::Int64),
            ("min_bins", DataType::Int64),
            ("min_bin_size", DataType::Float64),
            ("min_events", DataType::Int64),
            ("min_nonevents", DataType::Int64),
            ("min_rate_difference", DataType::Float64),
            ("max_p_value", DataType::Float64),
            ("max_prebins", DataType::Int64),
            ("prebinning", DataType::Utf8),
            ("min_prebin_size", DataType::Float64),
        ]
    }

    /// The columns of [`Options::fields`].
    pub(crate) fn columns(&self) -> Vec<(&'static str, ArrayRef)> {
        let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let integer = |number: Option<i64>| -> ArrayRef { Arc::new(Int64Array::from(vec![number])) };
        let float = |number: Option<f64>| -> ArrayRef { Arc::new(Float64Array::from(vec![number])) };
        let prebinning = match self.prebinning {
            Prebinning::Cart => "cart",
            Prebinning::Quantile => "quantile",
        };
        vec![
            ("trend", text(self.trend.name())),
            ("max_bins", integer(self.max_bins)),
            ("min_bins", integer(self.min_bins)),
            ("min_bin_size", float(self.min_bin_size)),
            ("min_events", integer(Some(self.min_events))),
            ("min_nonevents", integer(Some(self.min_nonevents))),
            ("min_rate_difference", float(Some(self.min_rate_difference))),
            ("max_p_value", float(self.max_p_value)),
            ("max_prebins", integer(Some(self.max_prebins))),
            ("prebinning", text(prebinning)),
            ("min_prebin_size", float(Some(self.min_prebin_size))),
        ]
    }

    /// Reads the options of a state.
    pub(crate) fn resume(state: &StateReader<'_>) -> Result<Self> {
        let options = Self {
            trend: choice(state, "trend", &Trend::NAMES)?,
            max_bins: state.integer("max_bins")?,
            min_bins: state.integer("min_bins")?,
            min_bin_size: state.float("min_bin_size")?,
            min_events: state.given("min_events", state.integer("min_events")?)?,
            min_nonevents: state.given("min_nonevents", state.integer("min_nonevents")?)?,
            min_rate_difference: state.given("min_rate_difference", state.float("min_rate_difference")?)?,
            max_p_value: state.float("max_p_value")?,
            max_prebins: state.given("max_prebins", state.integer("max_prebins")?)?,
            prebinning: choice(state, "prebinning", &Prebinning::NAMES)?,
            min_prebin_size: state.given("min_prebin_size", state.float("min_prebin_size")?)?,
        };
        match (2..=MOST_PREBINS).contains(&options.max_prebins) {
            true => Ok(options),
            false => exec_err!("the field max_prebins of the state must be 2 to {MOST_PREBINS}"),
        }
    }
}

/// One of several names in a field of a state.
pub(crate) fn choice<T: Copy>(state: &StateReader<'_>, field: &str, choices: &[(&str, T)]) -> Result<T> {
    let text = state.given(field, state.text(field)?)?;
    match choices.iter().find(|(name, _)| *name == text) {
        Some((_, choice)) => Ok(*choice),
        None => exec_err!("the field {field} of the state is not one of its values: it is '{text}'"),
    }
}
