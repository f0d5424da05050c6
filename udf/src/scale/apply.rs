//! `scale_apply(state, x)`: a column scaled by any of the scalers.

use arrow::array::{ArrayRef, Float64Array, StructArray, new_null_array};
use arrow::compute::unary;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::constants::Constants;
use crate::numbers::{float_values, number_argument};
use crate::scalar::Kernel;
use crate::scale::fits::{MaxAbs, MinMax, Robust, Standard};
use crate::spec::{Spec, optional, required};
use crate::state::{StateCache, StateReader, check_state_type};
use crate::summary::{Summary, kind_of};

static SPEC: Spec = Spec {
    name: "scale_apply",
    section: "Scaling",
    summary: "A number scaled by a fitted scaler: (x - center) / scale, and for fit_minmax that times upper - lower, plus \
              lower. Null gives null and NaN gives NaN; a fit of no rows gives null.",
    parameters: &[
        required("state", "The result of fit_standard, fit_minmax, fit_maxabs or fit_robust."),
        required("x", "A number."),
        optional("with_centering", "true", "For fit_standard and fit_robust: whether the center is subtracted."),
        optional(
            "with_scaling",
            "true",
            "For fit_standard and fit_robust: whether the result is divided by the scale.",
        ),
        optional("lower", "0", "For fit_minmax: what the least value becomes."),
        optional("upper", "1", "For fit_minmax: what the greatest value becomes, above lower."),
        optional("clip", "false", "For fit_minmax and fit_maxabs: whether values beyond those of the fit are cut off."),
    ],
    example: "select scale_apply(fit_minmax(x), 2.0) from (values (1.0), (5.0)) t(x); -- 0.25",
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Standard and robust scalers.
    Centred,
    MinMax,
    MaxAbs,
}

#[derive(Debug)]
struct Scaler {
    kind: Kind,
    /// The center and the scale; `None` for a fit of no rows.
    fitted: Option<(f64, f64)>,
}

impl Scaler {
    fn read(state: &StructArray, row: usize) -> Result<Option<Self>> {
        let kinds = [Standard::KIND, Robust::KIND, MinMax::KIND, MaxAbs::KIND];
        let Some(name) = kind_of(state, row, &kinds)? else { return Ok(None) };
        let Some(reader) = StateReader::open(state, row, name)? else { return Ok(None) };
        let kind = match name {
            MinMax::KIND => Kind::MinMax,
            MaxAbs::KIND => Kind::MaxAbs,
            _ => Kind::Centred,
        };
        Ok(Some(Self { kind, fitted: reader.float("center")?.zip(reader.float("scale")?) }))
    }
}

/// What a call asks for; an option that is not given leaves the default.
#[derive(Debug)]
struct Options {
    centering: Option<bool>,
    scaling: Option<bool>,
    lower: Option<f64>,
    upper: Option<f64>,
    clip: Option<bool>,
}

impl Options {
    fn read(constants: &Constants) -> Result<Self> {
        let (lower, upper) = (constants.float("lower")?, constants.float("upper")?);
        let (least, most) = (lower.unwrap_or(0.0), upper.unwrap_or(1.0));
        if least >= most {
            return Err(constants.error("lower", format!("must be below upper: it is {least}, and upper is {most}")));
        }
        Ok(Self {
            centering: constants.boolean("with_centering")?,
            scaling: constants.boolean("with_scaling")?,
            lower,
            upper,
            clip: constants.boolean("clip")?,
        })
    }

    /// Options that a scaler does not have are refused, not passed over.
    fn check(&self, kind: Kind) -> Result<()> {
        let wrong = |given: bool, option: &str, fits: &str| match given {
            true => exec_err!("{option} of {} is for {fits} only", SPEC.name),
            false => Ok(()),
        };
        if kind != Kind::Centred {
            wrong(self.centering.is_some(), "with_centering", "fit_standard and fit_robust")?;
            wrong(self.scaling.is_some(), "with_scaling", "fit_standard and fit_robust")?;
        }
        if kind != Kind::MinMax {
            wrong(self.lower.is_some(), "lower", "fit_minmax")?;
            wrong(self.upper.is_some(), "upper", "fit_minmax")?;
        }
        wrong(self.clip.is_some() && kind == Kind::Centred, "clip", "fit_minmax and fit_maxabs")
    }

    fn apply(&self, scaler: &Scaler, values: &Float64Array) -> Result<ArrayRef> {
        self.check(scaler.kind)?;
        let Some((center, scale)) = scaler.fitted else {
            return Ok(new_null_array(&DataType::Float64, values.len()));
        };
        let clip = self.clip.unwrap_or(false);
        let scaled: Float64Array = match scaler.kind {
            Kind::Centred => {
                let center = if self.centering.unwrap_or(true) { center } else { 0.0 };
                let scale = if self.scaling.unwrap_or(true) { scale } else { 1.0 };
                unary::<_, _, Float64Type>(values, |value| (value - center) / scale)
            }
            Kind::MaxAbs if clip => unary(values, |value| (value / scale).clamp(-1.0, 1.0)),
            Kind::MaxAbs => unary(values, |value| value / scale),
            Kind::MinMax => {
                // The arithmetic of scikit-learn, so that results agree to the last bit.
                let (lower, upper) = (self.lower.unwrap_or(0.0), self.upper.unwrap_or(1.0));
                let factor = (upper - lower) / scale;
                let offset = lower - center * factor;
                match clip {
                    true => unary(values, |value| (value * factor + offset).clamp(lower, upper)),
                    false => unary(values, |value| value * factor + offset),
                }
            }
        };
        Ok(Arc::new(scaled))
    }
}

/// `scale_apply`.
#[derive(Debug, Default)]
pub(crate) struct ScaleApply {
    cache: StateCache<Scaler>,
}

impl Kernel for ScaleApply {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        check_state_type(SPEC.name, &types[0], &["center", "scale"])?;
        types[1] = number_argument(&SPEC, "x", &types[1])?;
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        Options::read(constants)?;
        Ok(Arc::new(Field::new(SPEC.name, DataType::Float64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let options = Options::read(constants)?;
        let values = float_values(&arguments[1].to_array(rows)?)?;
        self.cache.apply(&arguments[0], rows, &DataType::Float64, Scaler::read, |scaler, range| {
            options.apply(scaler, &values.slice(range.start, range.len()))
        })
    }
}
