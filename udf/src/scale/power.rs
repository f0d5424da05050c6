//! `power_transform(x, lambda)`, the transforms of Box and Cox and of Yeo and Johnson, and `log1p(x)`.

use arrow::array::{ArrayRef, Float64Array};
use arrow::compute::unary;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::constants::Constants;
use crate::numbers::{float_values, number_argument};
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};

/// Which power transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    YeoJohnson,
    BoxCox,
}

const FAMILIES: [(&str, Family); 2] = [("yeo_johnson", Family::YeoJohnson), ("box_cox", Family::BoxCox)];

static POWER: Spec = Spec {
    name: "power_transform",
    section: "Scaling",
    summary: "A number made more like one of a normal distribution, as scipy.special.boxcox and \
              scipy.stats.yeojohnson with a given lambda. Null gives null and NaN gives NaN.",
    parameters: &[
        required("x", "A number."),
        required("lambda", "The exponent, a constant; 0 is the logarithm, and 1 changes the distribution not at all."),
        optional(
            "kind",
            "'yeo_johnson'",
            "'yeo_johnson' (any number) or 'box_cox' (numbers above 0; a number below 0 gives NaN).",
        ),
    ],
    example: "select power_transform(4.0, 0.5, 'box_cox'); -- 2.0",
};

static LOG: Spec = Spec {
    name: "log1p",
    section: "Scaling",
    summary: "The natural logarithm of 1 + x, exact for small x; NaN below -1. Null gives null.",
    parameters: &[required("x", "A number.")],
    example: "select log1p(0.0); -- 0.0",
};

/// `(value^lambda - 1) / lambda`, written so that a small lambda costs no digits.
fn box_cox(value: f64, lambda: f64) -> f64 {
    if lambda == 0.0 {
        return value.ln();
    }
    (lambda * value.ln()).exp_m1() / lambda
}

/// Yeo and Johnson, "A new family of power transformations", 2000.
fn yeo_johnson(value: f64, lambda: f64) -> f64 {
    let upper = |value: f64, lambda: f64| match lambda {
        0.0 => value.ln_1p(),
        lambda => (lambda * value.ln_1p()).exp_m1() / lambda,
    };
    if value >= 0.0 { upper(value, lambda) } else { -upper(-value, 2.0 - lambda) }
}

fn lambda(constants: &Constants) -> Result<Option<f64>> {
    match constants.float("lambda")? {
        Some(lambda) if lambda.is_infinite() => Err(constants.error("lambda", "must be finite")),
        lambda => Ok(lambda),
    }
}

/// `power_transform`.
#[derive(Debug)]
pub(crate) struct PowerTransform;

impl Kernel for PowerTransform {
    fn spec(&self) -> &'static Spec {
        &POWER
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = number_argument(&POWER, "x", &types[0])?;
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        constants.choice("kind", &FAMILIES)?;
        if !constants.is_varying("lambda") {
            lambda(constants)?;
        }
        Ok(Arc::new(Field::new(POWER.name, DataType::Float64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let family = constants.choice("kind", &FAMILIES)?.unwrap_or(Family::YeoJohnson);
        let values = float_values(&arguments[0].to_array(rows)?)?;
        let Some(lambda) = lambda(constants)? else { return Ok(Arc::new(Float64Array::new_null(rows))) };
        let transformed: Float64Array = match family {
            Family::YeoJohnson => unary(&values, |value| yeo_johnson(value, lambda)),
            Family::BoxCox => unary(&values, |value| box_cox(value, lambda)),
        };
        Ok(Arc::new(transformed))
    }
}

/// `log1p`.
#[derive(Debug)]
pub(crate) struct LogOnePlus;

impl Kernel for LogOnePlus {
    fn spec(&self) -> &'static Spec {
        &LOG
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![number_argument(&LOG, "x", &types[0])?])
    }

    fn result(&self, _fields: &[FieldRef], _constants: &Constants) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(LOG.name, DataType::Float64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, _constants: &Constants) -> Result<ArrayRef> {
        let values = float_values(&arguments[0].to_array(rows)?)?;
        let logarithms: Float64Array = unary(&values, f64::ln_1p);
        Ok(Arc::new(logarithms))
    }
}
