//! The numbers of a column.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::Result;

/// The numbers of an argument that `number_argument` has coerced: dates and times give their ticks.
pub(crate) fn numbers(values: &ArrayRef) -> Result<Float64Array> {
    let ticks = match values.data_type() {
        DataType::Float64 => return Ok(values.as_primitive::<Float64Type>().clone()),
        DataType::Date32 => cast(&cast(values, &DataType::Int32)?, &DataType::Int64)?,
        DataType::Date64 | DataType::Timestamp(_, _) | DataType::Duration(_) => cast(values, &DataType::Int64)?,
        _ => values.clone(),
    };
    Ok(cast(&ticks, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}
