//! `optimal_bin_apply(state, x)` and `woe_bin_apply(state, x)`.

use arrow::array::{ArrayRef, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::constants::Constants;
use crate::optimal::bins::{FittedBins, coerce_state_and_x};
use crate::scalar::Kernel;
use crate::sign::Sign;
use crate::spec::{Spec, optional, required};
use crate::state::StateCache;

static BIN: Spec = Spec {
    name: "optimal_bin_apply",
    section: "Binning",
    summary: "The number of the optimal bin of a value, from 0 in the order of binning_table: the bins found, the bin \
              of others if the fit has a cutoff, a bin for each special code, and last the bin of null and NaN.",
    parameters: &[
        required("state", "The result of fit_optimal_bins or fit_optimal_categories."),
        required("x", "A number or a category, as in the fit."),
        optional("unseen", "NULL", "The number of a category that the fit has not seen."),
    ],
    example: "select optimal_bin_apply((select fit_optimal_bins(x, y) from t), x) from t;",
};

static WOE: Spec = Spec {
    name: "woe_bin_apply",
    section: "Binning",
    summary: "The weight of evidence of the optimal bin of a value. A bin without events or without non-events has 0, \
              as in optbinning.",
    parameters: &[
        required("state", "The result of fit_optimal_bins or fit_optimal_categories."),
        required("x", "A number or a category, as in the fit."),
        optional(
            "sign",
            "'nonevent_over_event'",
            "'nonevent_over_event', ln((non-events / all non-events) / (events / all events)) as in optbinning, or \
             'event_over_nonevent', the opposite.",
        ),
        optional(
            "special",
            "'empirical'",
            "The value of special codes: 'empirical', the weight of evidence of their bins, or a number (optbinning: 0).",
        ),
        optional("missing", "'empirical'", "The value of null and NaN: 'empirical' or a number (optbinning: 0)."),
        optional("unseen", "0.0", "The value of a category that the fit has not seen."),
    ],
    example: "select woe_bin_apply((select fit_optimal_bins(x, y) from t), x) from t;",
};

/// The number of a bin.
#[derive(Debug, Default)]
pub(crate) struct OptimalBinApply {
    states: StateCache<FittedBins>,
}

impl Kernel for OptimalBinApply {
    fn spec(&self) -> &'static Spec {
        &BIN
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        coerce_state_and_x(&BIN, &mut types)?;
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        if !constants.is_varying("unseen") {
            constants.integer("unseen")?;
        }
        Ok(Arc::new(Field::new(BIN.name, DataType::Int64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let x = arguments[1].to_array(rows)?;
        let unseen = constants.integer("unseen")?;
        self.states.apply(&arguments[0], rows, &DataType::Int64, FittedBins::decode, |bins, range| {
            let x = x.slice(range.start, range.len());
            let count = bins.counts.len() as i64;
            Ok(match unseen {
                Some(unseen) => {
                    let numbers: Vec<i64> = (0..count).collect();
                    Arc::new(Int64Array::from(bins.map(&x, &numbers, unseen)?)) as ArrayRef
                }
                None => {
                    // No bin has the number -1.
                    let numbers: Vec<i64> = (0..count).collect();
                    let numbers = bins.map(&x, &numbers, -1)?;
                    match numbers.iter().any(|number| *number < 0) {
                        true => Arc::new(
                            numbers
                                .into_iter()
                                .map(|number| Some(number).filter(|number| *number >= 0))
                                .collect::<Int64Array>(),
                        ),
                        false => Arc::new(Int64Array::from(numbers)),
                    }
                }
            })
        })
    }
}

/// The weight of evidence of a bin.
#[derive(Debug, Default)]
pub(crate) struct WoeBinApply {
    states: StateCache<FittedBins>,
}

struct Options {
    sign: Sign,
    /// `None` for the empirical weight of evidence.
    special: Option<f64>,
    missing: Option<f64>,
    unseen: f64,
}

impl Options {
    fn read(constants: &Constants) -> Result<Self> {
        let empirical_or_number = |parameter: &str| match constants.value(parameter)? {
            None => Ok(None),
            Some(value) if value.data_type().is_numeric() => constants.float(parameter),
            Some(_) => constants.choice(parameter, &[("empirical", ())]).map(|_| None),
        };
        Ok(Self {
            sign: constants.choice("sign", &Sign::NAMES)?.unwrap_or(Sign::NonEventOverEvent),
            special: empirical_or_number("special")?,
            missing: empirical_or_number("missing")?,
            unseen: constants.float("unseen")?.unwrap_or(0.0),
        })
    }

    fn weights(&self, bins: &FittedBins) -> Vec<f64> {
        let mut weights = bins.weights(self.sign);
        let last = weights.len() - 1;
        if let Some(special) = self.special {
            weights[bins.plain..last].fill(special);
        }
        if let Some(missing) = self.missing {
            weights[last] = missing;
        }
        weights
    }
}

impl Kernel for WoeBinApply {
    fn spec(&self) -> &'static Spec {
        &WOE
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        coerce_state_and_x(&WOE, &mut types)?;
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        if !WOE.parameters[2..].iter().any(|parameter| constants.is_varying(parameter.name)) {
            Options::read(constants)?;
        }
        Ok(Arc::new(Field::new(WOE.name, DataType::Float64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let x = arguments[1].to_array(rows)?;
        let options = Options::read(constants)?;
        self.states.apply(&arguments[0], rows, &DataType::Float64, FittedBins::decode, |bins, range| {
            let x = x.slice(range.start, range.len());
            Ok(Arc::new(Float64Array::from(bins.map(&x, &options.weights(bins), options.unseen)?)))
        })
    }
}
