//! Rows of a result in one normal form, whatever engine and Arrow types they came in.
//!
//! Two engines may give the same count as `Int64` and as `Decimal128(20, 0)`, the same text as `Utf8` and `Utf8View`.
//! Here a number is its exact decimal value, a text its characters, a date its day. What an engine computed in floating
//! point stays so, and the column says it, because such values compare with a tolerance.

use std::cmp::Ordering;
use std::fmt;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, Schema,
};
use arrow::error::ArrowError;

/// How the values of a column are to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// A number with this many digits after the point; 0 for whole numbers.
    Exact { scale: i8 },
    /// A number computed in floating point.
    Float,
    /// Anything that is not a number.
    Other,
}

/// A decimal number: `unscaled / 10^scale`, without zeros at the end, so that equal numbers have equal parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    unscaled: i128,
    scale: i32,
}

impl Number {
    fn new(unscaled: i128, scale: i32) -> Self {
        let (mut unscaled, mut scale) = (unscaled, if unscaled == 0 { 0 } else { scale });
        while unscaled != 0 && unscaled % 10 == 0 {
            unscaled /= 10;
            scale -= 1;
        }
        Self { unscaled, scale }
    }

    pub(crate) fn as_f64(self) -> f64 {
        // Dividing by an exact power of ten rounds once; multiplying by a negative power would round twice.
        if self.scale >= 0 {
            self.unscaled as f64 / 10f64.powi(self.scale)
        } else {
            self.unscaled as f64 * 10f64.powi(-self.scale)
        }
    }
}

/// One value of a result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Number(Number),
    Float(f64),
    /// Days since 1970-01-01, and the date as text.
    Date(i32, String),
    Text(String),
}

impl Value {
    /// A total order in which exactly equal values, and only these, are equal.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Boolean(left), Self::Boolean(right)) => left.cmp(right),
            (Self::Number(left), Self::Number(right)) => left
                .as_f64()
                .total_cmp(&right.as_f64())
                .then_with(|| (left.scale, left.unscaled).cmp(&(right.scale, right.unscaled))),
            (Self::Float(left), Self::Float(right)) => left.total_cmp(right),
            (Self::Date(left, _), Self::Date(right, _)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (left, right) => left.rank().cmp(&right.rank()),
        }
    }

    /// The value as a floating point number, if it is a number.
    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number.as_f64()),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Boolean(_) => 1,
            Self::Number(_) => 2,
            Self::Float(_) => 3,
            Self::Date(..) => 4,
            Self::Text(_) => 5,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(Number { unscaled, scale }) if *scale <= 0 => {
                write!(f, "{unscaled}{}", "0".repeat(scale.unsigned_abs() as usize))
            }
            Self::Number(Number { unscaled, scale }) => {
                let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = *scale as usize + 1);
                let (whole, fraction) = digits.split_at(digits.len() - *scale as usize);
                write!(f, "{}{whole}.{fraction}", if *unscaled < 0 { "-" } else { "" })
            }
            Self::Float(value) => write!(f, "{value:e}"),
            Self::Date(_, text) => f.write_str(text),
            Self::Text(text) => write!(f, "'{text}'"),
        }
    }
}

/// A result: its columns and its rows, in the order in which the engine gave them.
#[derive(Debug, Clone)]
pub(crate) struct RowSet {
    pub(crate) columns: Vec<ColumnKind>,
    pub(crate) rows: Vec<Vec<Value>>,
}

impl RowSet {
    pub(crate) fn new(schema: &Schema, batches: &[RecordBatch]) -> Result<Self, ArrowError> {
        let columns = schema.fields().iter().map(|field| column_kind(field.data_type())).collect();
        let mut rows = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
        for batch in batches {
            let first = rows.len();
            rows.resize_with(first + batch.num_rows(), || Vec::with_capacity(batch.num_columns()));
            for column in batch.columns() {
                for (row, value) in rows[first..].iter_mut().zip(values(column)?) {
                    row.push(value);
                }
            }
        }
        Ok(Self { columns, rows })
    }
}

fn column_kind(data_type: &DataType) -> ColumnKind {
    match data_type {
        data_type if data_type.is_integer() => ColumnKind::Exact { scale: 0 },
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => ColumnKind::Exact { scale: *scale },
        data_type if data_type.is_floating() => ColumnKind::Float,
        DataType::Dictionary(_, value) => column_kind(value),
        _ => ColumnKind::Other,
    }
}

fn values(column: &ArrayRef) -> Result<Vec<Value>, ArrowError> {
    let target = match column.data_type() {
        DataType::Null => return Ok(vec![Value::Null; column.len()]),
        DataType::Dictionary(_, value) => return values(&cast(column, value)?),
        DataType::Boolean => DataType::Boolean,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        data_type if data_type.is_integer() => DataType::Int64,
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale),
        data_type if data_type.is_floating() => DataType::Float64,
        DataType::Date32 => DataType::Date32,
        _ => DataType::Utf8,
    };
    let array = cast(column, &target)?;
    if array.null_count() != column.null_count() {
        return Err(ArrowError::CastError(format!("a value of type {} does not fit {target}", column.data_type())));
    }
    let value = |make: &dyn Fn(usize) -> Value| {
        (0..array.len()).map(|row| if array.is_null(row) { Value::Null } else { make(row) }).collect()
    };
    Ok(match target {
        DataType::Boolean => value(&|row| Value::Boolean(array.as_boolean().value(row))),
        DataType::Int64 => {
            let numbers = array.as_primitive::<Int64Type>();
            value(&|row| Value::Number(Number::new(i128::from(numbers.value(row)), 0)))
        }
        DataType::Decimal128(_, scale) => {
            let numbers = array.as_primitive::<Decimal128Type>();
            value(&|row| Value::Number(Number::new(numbers.value(row), i32::from(scale))))
        }
        DataType::Float64 => value(&|row| Value::Float(array.as_primitive::<Float64Type>().value(row))),
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>();
            let texts = cast(&array, &DataType::Utf8)?;
            value(&|row| Value::Date(days.value(row), texts.as_string::<i32>().value(row).to_owned()))
        }
        _ => value(&|row| Value::Text(array.as_string::<i32>().value(row).to_owned())),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, Date32Array, Decimal128Array, Float64Array, Int32Array, StringViewArray, UInt64Array,
    };

    use super::{Value, values};

    fn shown(array: impl arrow::array::Array + 'static) -> Vec<String> {
        let array: ArrayRef = Arc::new(array);
        values(&array).unwrap().iter().map(Value::to_string).collect()
    }

    #[test]
    fn numbers_lose_their_type_and_keep_their_value() {
        let decimals = Decimal128Array::from(vec![Some(1200), Some(-5), Some(0), None]);
        let decimals = decimals.with_precision_and_scale(15, 2).unwrap();
        assert_eq!(shown(decimals), ["12", "-0.05", "0", "NULL"]);
        assert_eq!(shown(Int32Array::from(vec![12, -100])), ["12", "-100"]);
        assert_eq!(shown(UInt64Array::from(vec![u64::MAX])), ["18446744073709551615"]);
        let twelve: ArrayRef = Arc::new(Int32Array::from(vec![12]));
        let twelve_point_zero: ArrayRef =
            Arc::new(Decimal128Array::from(vec![120_000]).with_precision_and_scale(38, 4).unwrap());
        assert_eq!(values(&twelve).unwrap(), values(&twelve_point_zero).unwrap());
    }

    #[test]
    fn dates_texts_and_floats_stay_apart() {
        assert_eq!(shown(Date32Array::from(vec![9_131])), ["1995-01-01"]);
        assert_eq!(shown(StringViewArray::from(vec!["1995-01-01"])), ["'1995-01-01'"]);
        assert_eq!(shown(Float64Array::from(vec![0.25])), ["2.5e-1"]);
    }
}
