//! `impute_apply(state, x)` and `missing_indicator(x)`.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, StringArray, StructArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion_common::{Result, plan_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::constants::Constants;
use crate::numbers::{float_values, for_each_block};
use crate::scalar::Kernel;
use crate::scale::impute::{NumberImputer, imputer_argument, is_text};
use crate::scale::text_impute;
use crate::spec::{Spec, required};
use crate::state::{StateCache, StateReader, check_state_type};
use crate::summary::{Summary, kind_of};

static IMPUTE: Spec = Spec {
    name: "impute_apply",
    section: "Imputation",
    summary: "A value, or the fitted replacement if it is missing (null or NaN): DOUBLE for numbers, text for texts. A \
              fit without values leaves missing values as they are.",
    parameters: &[required("state", "The result of fit_imputer."), required("x", "A number or a text, as in the fit.")],
    example: "select impute_apply(fit_imputer(x, 'mean'), NULL) from (values (1.0), (3.0), (NULL)) t(x); -- 2.0",
};

static INDICATOR: Spec = Spec {
    name: "missing_indicator",
    section: "Imputation",
    summary: "Whether a value is missing: null or NaN. As MissingIndicator of scikit-learn.",
    parameters: &[required("x", "A value of any type.")],
    example: "select missing_indicator(NULL); -- true",
};

/// A fitted replacement.
#[derive(Debug)]
enum Fill {
    Number(Option<f64>),
    Text(Option<String>),
}

impl Fill {
    fn read(state: &StructArray, row: usize) -> Result<Option<Self>> {
        let Some(kind) = kind_of(state, row, &[NumberImputer::KIND, text_impute::KIND])? else { return Ok(None) };
        let Some(reader) = StateReader::open(state, row, kind)? else { return Ok(None) };
        Ok(Some(match kind {
            text_impute::KIND => Self::Text(reader.text("fill")?),
            _ => Self::Number(reader.float("fill")?),
        }))
    }

    fn apply(&self, values: &ArrayRef) -> Result<ArrayRef> {
        match self {
            Self::Number(None) | Self::Text(None) => Ok(Arc::clone(values)),
            Self::Number(Some(fill)) => {
                let numbers = cast(values, &DataType::Float64)?;
                let numbers = numbers.as_primitive::<Float64Type>();
                let mut filled: Vec<f64> = Vec::with_capacity(numbers.len());
                for_each_block(numbers, |block| {
                    filled.extend(block.iter().map(|value| if value.is_nan() { *fill } else { *value }));
                });
                Ok(Arc::new(Float64Array::from(filled)))
            }
            Self::Text(Some(fill)) => {
                let texts = cast(values, &DataType::Utf8)?;
                if texts.null_count() == 0 {
                    return Ok(texts);
                }
                let texts = texts.as_string::<i32>();
                Ok(Arc::new(StringArray::from_iter_values(texts.iter().map(|text| text.unwrap_or(fill)))))
            }
        }
    }
}

/// `impute_apply`.
#[derive(Debug, Default)]
pub(crate) struct ImputeApply {
    cache: StateCache<Fill>,
}

/// The type of the replacement in a state; numbers if nothing is known of it.
fn fill_type(state: &DataType) -> DataType {
    let DataType::Struct(fields) = state else { return DataType::Null };
    fields.iter().find(|field| field.name() == "fill").map_or(DataType::Null, |field| field.data_type().clone())
}

impl Kernel for ImputeApply {
    fn spec(&self) -> &'static Spec {
        &IMPUTE
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        check_state_type(IMPUTE.name, &types[0], &["strategy", "fill"])?;
        let (fill, values) = (fill_type(&types[0]), &types[1]);
        match (fill, is_text(values)) {
            (_, _) if values.is_null() => {
                types[1] = if is_text(&fill_type(&types[0])) { DataType::Utf8 } else { DataType::Float64 };
            }
            (DataType::Utf8, false) => {
                return plan_err!("x of {} must be a text, as in the fit: it is of type {values}", IMPUTE.name);
            }
            (DataType::Float64, true) => {
                return plan_err!("x of {} must be a number, as in the fit: it is of type {values}", IMPUTE.name);
            }
            (_, true) => types[1] = DataType::Utf8,
            (_, false) => types[1] = imputer_argument(&IMPUTE, "x", values)?,
        }
        Ok(types)
    }

    fn result(&self, fields: &[FieldRef], _constants: &Constants) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(IMPUTE.name, fields[1].data_type().clone(), true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, _constants: &Constants) -> Result<ArrayRef> {
        let values = arguments[1].to_array(rows)?;
        self.cache.apply(&arguments[0], rows, values.data_type(), Fill::read, |fill, range| {
            fill.apply(&values.slice(range.start, range.len()))
        })
    }
}

/// `missing_indicator`.
#[derive(Debug)]
pub(crate) struct MissingIndicator;

fn has_nan(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => has_nan(value),
        other => other.is_floating(),
    }
}

impl Kernel for MissingIndicator {
    fn spec(&self) -> &'static Spec {
        &INDICATOR
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        if has_nan(&types[0]) {
            types[0] = DataType::Float64;
        }
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], _constants: &Constants) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(INDICATOR.name, DataType::Boolean, false)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, _constants: &Constants) -> Result<ArrayRef> {
        let values = arguments[0].to_array(rows)?;
        let nulls = match values.logical_nulls() {
            Some(nulls) => !nulls.inner(),
            None => BooleanBuffer::new_unset(values.len()),
        };
        if values.data_type() != &DataType::Float64 {
            return Ok(Arc::new(BooleanArray::new(nulls, None)));
        }
        let values = float_values(&values)?;
        let nan = BooleanBuffer::collect_bool(values.len(), |row| values.values()[row].is_nan());
        Ok(Arc::new(BooleanArray::new(&nulls | &nan, None)))
    }
}
