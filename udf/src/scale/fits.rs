//! `fit_standard`, `fit_minmax`, `fit_maxabs` and `fit_robust`, as the scalers of scikit-learn. Each state has a `center`
//! and a `scale`; the scale of a constant column is 1.

use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};

use crate::constants::Constants;
use crate::extent::Extent;
use crate::quantile::{Distribution, EPSILON, Interpolation, MERGEABLE, METHOD, Sketch};
use crate::scale::moments::Moments;
use crate::spec::{Spec, optional, required};
use crate::state::StateReader;
use crate::summary::{Columns, Summary, count, one};

/// A scale that can be divided by.
fn divisor(scale: f64) -> f64 {
    if scale == 0.0 { 1.0 } else { scale }
}

static STANDARD: Spec = Spec {
    name: "fit_standard",
    section: "Scaling",
    summary: "The mean and the standard deviation of a column, for scale_apply; as StandardScaler of scikit-learn \
              (Spark's uses ddof => 1). Null, NaN, infinities and numbers beyond 1e290 are passed over.",
    parameters: &[
        required("x", "A number."),
        optional("ddof", "0", "The divisor of the variance is the number of rows less this, 0 or 1."),
    ],
    example: "select scale_apply(fit_standard(x), 5.0) from (values (1.0), (3.0)) t(x); -- 3.0",
};

/// `fit_standard`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standard {
    ddof: u64,
}

impl Summary for Standard {
    type Statistic = Moments;

    const KIND: &'static str = "standard/1";
    const FINITE: bool = true;

    fn spec() -> &'static Spec {
        &STANDARD
    }

    fn fields() -> Vec<(&'static str, DataType)> {
        let float = |name| (name, DataType::Float64);
        vec![("ddof", DataType::Int64), float("center"), float("scale"), float("variance")]
    }

    fn read(constants: &Constants) -> Result<Self> {
        Ok(Self { ddof: constants.integer_within("ddof", 0, 1)?.unwrap_or(0) as u64 })
    }

    fn resume(state: &StateReader<'_>) -> Result<Self> {
        match state.given("ddof", state.integer("ddof")?)? {
            ddof @ (0 | 1) => Ok(Self { ddof: ddof as u64 }),
            ddof => exec_err!("the field ddof of the state must be 0 or 1: it is {ddof}"),
        }
    }

    fn columns(&self, moments: Option<&Moments>) -> Result<Columns> {
        let center = moments.and_then(Moments::mean);
        let variance = moments.and_then(|moments| moments.variance(self.ddof));
        // One row has no sample variance.
        let scale = center.map(|_| divisor(variance.unwrap_or(0.0).sqrt()));
        Ok(vec![
            ("ddof", count(self.ddof)),
            ("center", one(center)),
            ("scale", one(scale)),
            ("variance", one(variance)),
        ])
    }
}

static MINMAX: Spec = Spec {
    name: "fit_minmax",
    section: "Scaling",
    summary: "The least value of a column and the distance to the greatest, for scale_apply; as MinMaxScaler of \
              scikit-learn. Null, NaN and infinities are passed over.",
    parameters: &[required("x", "A number.")],
    example: "select scale_apply(fit_minmax(x), 2.0) from (values (1.0), (5.0)) t(x); -- 0.25",
};

/// `fit_minmax`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MinMax;

fn center_and_scale() -> Vec<(&'static str, DataType)> {
    vec![("center", DataType::Float64), ("scale", DataType::Float64)]
}

impl Summary for MinMax {
    type Statistic = Extent;

    const KIND: &'static str = "minmax/1";
    const FINITE: bool = true;

    fn spec() -> &'static Spec {
        &MINMAX
    }

    fn fields() -> Vec<(&'static str, DataType)> {
        center_and_scale()
    }

    fn read(_constants: &Constants) -> Result<Self> {
        Ok(Self)
    }

    fn resume(_state: &StateReader<'_>) -> Result<Self> {
        Ok(Self)
    }

    fn columns(&self, bounds: Option<&Option<(f64, f64)>>) -> Result<Columns> {
        let bounds = bounds.copied().flatten();
        Ok(vec![
            ("center", one(bounds.map(|(least, _)| least))),
            ("scale", one(bounds.map(|(least, most)| divisor(most - least)))),
        ])
    }
}

static MAXABS: Spec = Spec {
    name: "fit_maxabs",
    section: "Scaling",
    summary: "The greatest absolute value of a column, for scale_apply; as MaxAbsScaler of scikit-learn. Null, NaN and \
              infinities are passed over.",
    parameters: &[required("x", "A number.")],
    example: "select scale_apply(fit_maxabs(x), 2.0) from (values (1.0), (-4.0)) t(x); -- 0.5",
};

/// `fit_maxabs`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MaxAbs;

impl Summary for MaxAbs {
    type Statistic = Extent;

    const KIND: &'static str = "maxabs/1";
    const FINITE: bool = true;

    fn spec() -> &'static Spec {
        &MAXABS
    }

    fn fields() -> Vec<(&'static str, DataType)> {
        center_and_scale()
    }

    fn read(_constants: &Constants) -> Result<Self> {
        Ok(Self)
    }

    fn resume(_state: &StateReader<'_>) -> Result<Self> {
        Ok(Self)
    }

    fn columns(&self, bounds: Option<&Option<(f64, f64)>>) -> Result<Columns> {
        let bounds = bounds.copied().flatten();
        Ok(vec![
            ("center", one(bounds.map(|_| 0.0))),
            ("scale", one(bounds.map(|(least, most)| divisor(least.abs().max(most.abs()))))),
        ])
    }
}

/// The quantiles that a call names, the lower below the upper.
pub(crate) fn read_shares(constants: &Constants, lower: f64, upper: f64) -> Result<(f64, f64)> {
    let lower = constants.float_within("lower", 0.0, 1.0)?.unwrap_or(lower);
    let upper = constants.float_within("upper", 0.0, 1.0)?.unwrap_or(upper);
    if lower >= upper {
        return Err(constants.error("lower", format!("must be below upper: it is {lower}, and upper is {upper}")));
    }
    Ok((lower, upper))
}

/// The quantiles that a state names.
pub(crate) fn resume_shares(state: &StateReader<'_>) -> Result<(f64, f64)> {
    let lower = state.given("lower", state.float("lower")?)?;
    let upper = state.given("upper", state.float("upper")?)?;
    if !(0.0 <= lower && lower < upper && upper <= 1.0) {
        return exec_err!("the fields lower and upper of the state must ascend between 0 and 1");
    }
    Ok((lower, upper))
}

static ROBUST: Spec = Spec {
    name: "fit_robust",
    section: "Scaling",
    summary: "The median of a column and the distance between two of its quantiles, for scale_apply; as RobustScaler of \
              scikit-learn. Null, NaN and infinities are passed over.",
    parameters: &[
        required("x", "A number."),
        optional("lower", "0.25", "The lower quantile, between 0 and 1."),
        optional("upper", "0.75", "The upper quantile, between 0 and 1."),
        METHOD,
        EPSILON,
        MERGEABLE,
    ],
    example: "select scale_apply(fit_robust(x), 5.0) from (values (1.0), (2.0), (3.0)) t(x); -- 3.0",
};

/// `fit_robust`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Robust {
    lower: f64,
    upper: f64,
}

impl Summary for Robust {
    type Statistic = Sketch;

    const KIND: &'static str = "robust/1";
    const FINITE: bool = true;

    fn spec() -> &'static Spec {
        &ROBUST
    }

    fn fields() -> Vec<(&'static str, DataType)> {
        let float = |name| (name, DataType::Float64);
        vec![float("lower"), float("upper"), float("center"), float("scale")]
    }

    fn read(constants: &Constants) -> Result<Self> {
        let (lower, upper) = read_shares(constants, 0.25, 0.75)?;
        Ok(Self { lower, upper })
    }

    fn resume(state: &StateReader<'_>) -> Result<Self> {
        let (lower, upper) = resume_shares(state)?;
        Ok(Self { lower, upper })
    }

    fn columns(&self, distribution: Option<&Distribution>) -> Result<Columns> {
        let quantile = |share: f64| distribution?.quantile(share, Interpolation::Linear);
        let range = quantile(self.lower).zip(quantile(self.upper)).map(|(low, high)| divisor(high - low));
        Ok(vec![
            ("lower", one(Some(self.lower))),
            ("upper", one(Some(self.upper))),
            ("center", one(quantile(0.5))),
            ("scale", one(range)),
        ])
    }
}
