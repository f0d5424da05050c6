//! The dimension of a vector, from what is known of an argument when a call is planned.

use arrow::datatypes::{DataType, Field};
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::{Expr, ExprSchemable};

use crate::sparse::dimension_of;

/// The largest dimension: indices are `Int32`.
pub(crate) const MOST: i64 = i32::MAX as i64;

/// The dimension that a field's type or metadata states.
pub(crate) fn of_field(field: &Field) -> Option<i64> {
    let from_type = match field.data_type() {
        DataType::FixedSizeList(_, size) => Some(i64::from(*size)),
        DataType::Dictionary(_, value) => (value.is_numeric()).then_some(1),
        DataType::Boolean => Some(1),
        data_type if data_type.is_numeric() => Some(1),
        _ => None,
    };
    from_type.or(dimension_of(field)).filter(|dimension| (0..=MOST).contains(dimension))
}

/// The dimension of a constant list.
pub(crate) fn of_constant(value: &ScalarValue) -> Option<i64> {
    let length = |lists: &dyn arrow::array::Array, length: i64| (!lists.is_null(0)).then_some(length);
    match value {
        ScalarValue::List(lists) => length(lists.as_ref(), i64::from(lists.value_length(0))),
        ScalarValue::LargeList(lists) => length(lists.as_ref(), lists.value_length(0)),
        ScalarValue::FixedSizeList(lists) => length(lists.as_ref(), i64::from(lists.value_length())),
        _ => None,
    }
}

/// The dimension of an argument.
pub(crate) fn of_argument(argument: &Expr, schema: &DFSchema) -> Result<Option<i64>> {
    let (_, field) = argument.to_field(schema)?;
    let known = of_field(&field);
    Ok(match argument {
        Expr::Literal(value, _) => known.or(of_constant(value)),
        _ => known,
    })
}
