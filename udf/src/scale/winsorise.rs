//! `fit_winsorise(x)` and `winsorise_apply(state, x)`: values beyond two quantiles are set to these. Each has a second
//! name with a z.

use arrow::array::{ArrayRef, Float64Array, StructArray, new_null_array};
use arrow::compute::unary;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::constants::Constants;
use crate::numbers::{float_values, number_argument};
use crate::quantile::{Distribution, EPSILON, Interpolation, MERGEABLE, METHOD, Sketch, interpolation_parameter};
use crate::scalar::Kernel;
use crate::scale::fits::{read_shares, resume_shares};
use crate::spec::{Parameter, Spec, optional, required};
use crate::state::{StateCache, StateReader, check_state_type};
use crate::summary::{Columns, Summary, one, text};

const FIT_PARAMETERS: &[Parameter] = &[
    required("x", "A number."),
    optional("lower", "0.05", "The quantile that smaller values are set to, between 0 and 1."),
    optional("upper", "0.95", "The quantile that greater values are set to, between 0 and 1."),
    METHOD,
    EPSILON,
    interpolation_parameter("'linear'"),
    MERGEABLE,
];

const FIT_SUMMARY: &str = "Two quantiles of a column, for winsorise_apply. Null and NaN are passed over; infinities are \
                           values.";

static FIT: Spec = Spec {
    name: "fit_winsorise",
    section: "Scaling",
    summary: FIT_SUMMARY,
    parameters: FIT_PARAMETERS,
    example: "select winsorise_apply(fit_winsorise(x, 0.25, 0.75), 9.0) from (values (1.0), (2.0), (3.0)) t(x); -- 2.5",
};

static FIT_Z: Spec = Spec {
    name: "fit_winsorize",
    section: "Scaling",
    summary: FIT_SUMMARY,
    parameters: FIT_PARAMETERS,
    example: "select winsorize_apply(fit_winsorize(x, 0.25, 0.75), 9.0) from (values (1.0), (2.0), (3.0)) t(x); -- 2.5",
};

/// `fit_winsorise`, or with `Z` `fit_winsorize`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Winsorise<const Z: bool> {
    lower: f64,
    upper: f64,
    interpolation: Interpolation,
}

const KIND: &str = "winsorise/1";

impl<const Z: bool> Summary for Winsorise<Z> {
    type Statistic = Sketch;

    const KIND: &'static str = KIND;
    const FINITE: bool = false;

    fn spec() -> &'static Spec {
        if Z { &FIT_Z } else { &FIT }
    }

    fn fields() -> Vec<(&'static str, DataType)> {
        let float = |name| (name, DataType::Float64);
        vec![float("lower"), float("upper"), ("interpolation", DataType::Utf8), float("low"), float("high")]
    }

    fn read(constants: &Constants) -> Result<Self> {
        let (lower, upper) = read_shares(constants, 0.05, 0.95)?;
        let interpolation = Interpolation::read(constants)?.unwrap_or(Interpolation::Linear);
        Ok(Self { lower, upper, interpolation })
    }

    fn resume(state: &StateReader<'_>) -> Result<Self> {
        let (lower, upper) = resume_shares(state)?;
        let interpolation = state.text("interpolation")?.and_then(|name| Interpolation::named(&name));
        Ok(Self { lower, upper, interpolation: state.given("interpolation", interpolation)? })
    }

    fn columns(&self, distribution: Option<&Distribution>) -> Result<Columns> {
        let quantile = |share: f64| distribution?.quantile(share, self.interpolation);
        Ok(vec![
            ("lower", one(Some(self.lower))),
            ("upper", one(Some(self.upper))),
            ("interpolation", text(self.interpolation.name())),
            ("low", one(quantile(self.lower))),
            ("high", one(quantile(self.upper))),
        ])
    }
}

const APPLY_PARAMETERS: &[Parameter] = &[required("state", "The result of fit_winsorise."), required("x", "A number.")];

const APPLY_SUMMARY: &str = "A number, or the nearer of two fitted quantiles if it lies beyond them. Null gives null and \
                             NaN gives NaN; a fit of no rows gives null.";

static APPLY: Spec = Spec {
    name: "winsorise_apply",
    section: "Scaling",
    summary: APPLY_SUMMARY,
    parameters: APPLY_PARAMETERS,
    example: "select winsorise_apply(fit_winsorise(x, 0.25, 0.75), 9.0) from (values (1.0), (2.0), (3.0)) t(x); -- 2.5",
};

static APPLY_Z: Spec = Spec {
    name: "winsorize_apply",
    section: "Scaling",
    summary: APPLY_SUMMARY,
    parameters: APPLY_PARAMETERS,
    example: "select winsorize_apply(fit_winsorize(x, 0.25, 0.75), 9.0) from (values (1.0), (2.0), (3.0)) t(x); -- 2.5",
};

/// The quantiles of a state; the inner `None` stands for a fit of no rows.
fn read_bounds(state: &StructArray, row: usize) -> Result<Option<Option<(f64, f64)>>> {
    let Some(reader) = StateReader::open(state, row, KIND)? else { return Ok(None) };
    let (low, high) = (reader.float("low")?, reader.float("high")?);
    match low.zip(high) {
        Some((low, high)) if low.is_nan() || high.is_nan() || low > high => {
            datafusion_common::exec_err!("the fields low and high of the state must ascend")
        }
        bounds => Ok(Some(bounds)),
    }
}

/// `winsorise_apply`, or with `Z` `winsorize_apply`.
#[derive(Debug, Default)]
pub(crate) struct WinsoriseApply<const Z: bool> {
    cache: StateCache<Option<(f64, f64)>>,
}

impl<const Z: bool> Kernel for WinsoriseApply<Z> {
    fn spec(&self) -> &'static Spec {
        if Z { &APPLY_Z } else { &APPLY }
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        check_state_type(self.spec().name, &types[0], &["low", "high"])?;
        types[1] = number_argument(self.spec(), "x", &types[1])?;
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], _constants: &Constants) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.spec().name, DataType::Float64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, _constants: &Constants) -> Result<ArrayRef> {
        let values = float_values(&arguments[1].to_array(rows)?)?;
        self.cache.apply(&arguments[0], rows, &DataType::Float64, read_bounds, |bounds, range| {
            let part = values.slice(range.start, range.len());
            Ok(match bounds {
                None => new_null_array(&DataType::Float64, range.len()),
                Some((low, high)) => {
                    let clipped: Float64Array = unary(&part, |value| value.clamp(*low, *high));
                    Arc::new(clipped)
                }
            })
        })
    }
}
