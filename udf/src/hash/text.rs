//! The canonical text of a column: what is hashed or joined where a library hashes texts.

use arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Float64Array, LargeStringArray, ListArray, StringArray, StringViewArray,
};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

/// A column of texts.
#[derive(Debug)]
pub(crate) enum TextColumn {
    Small(StringArray),
    Large(LargeStringArray),
    View(StringViewArray),
}

/// Whether a value of this type has a text: everything but nested values and bytes.
pub(crate) fn has_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => has_text(value),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => false,
        other => !other.is_nested(),
    }
}

/// -0.0 becomes 0.0, and all NaN one.
pub(crate) fn canonical_float(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}

/// -0.0 becomes 0.0, and all NaN one.
pub(crate) fn canonical_float_32(value: f32) -> f32 {
    if value.is_nan() { f32::NAN } else { value + 0.0 }
}

/// The elements from the first that a row uses to the last.
pub(crate) fn used_elements(lists: &ListArray) -> ArrayRef {
    let offsets = lists.value_offsets();
    let first = offsets.first().copied().unwrap_or(0) as usize;
    let last = offsets.last().copied().unwrap_or(0) as usize;
    lists.values().slice(first, last - first)
}

impl TextColumn {
    /// The texts of a column: those that `CAST(x AS VARCHAR)` gives, -0.0 being 0.0.
    pub(crate) fn of(column: &ArrayRef) -> Result<Self> {
        match column.data_type() {
            DataType::Utf8 => Ok(Self::Small(column.as_string::<i32>().clone())),
            DataType::LargeUtf8 => Ok(Self::Large(column.as_string::<i64>().clone())),
            DataType::Utf8View => Ok(Self::View(column.as_string_view().clone())),
            DataType::Dictionary(_, value) => Self::of(&cast(column, value)?),
            DataType::Float64 => {
                let values: Float64Array = column.as_primitive::<Float64Type>().unary(canonical_float);
                Self::printed(&(Arc::new(values) as ArrayRef))
            }
            DataType::Float32 => {
                let values: Float32Array = column.as_primitive::<Float32Type>().unary(canonical_float_32);
                Self::printed(&(Arc::new(values) as ArrayRef))
            }
            DataType::Float16 => Self::of(&cast(column, &DataType::Float32)?),
            _ => Self::printed(column),
        }
    }

    fn printed(column: &ArrayRef) -> Result<Self> {
        if !has_text(column.data_type()) {
            return exec_err!("a value of type {} has no text", column.data_type());
        }
        // A date or time that is out of the range of texts is an error, and not null.
        let strict = CastOptions { safe: false, ..Default::default() };
        Ok(Self::Small(cast_with_options(column, &DataType::Utf8, &strict)?.as_string::<i32>().clone()))
    }

    /// The text of a row; any text if it is null.
    pub(crate) fn value(&self, row: usize) -> &str {
        match self {
            Self::Small(texts) => texts.value(row),
            Self::Large(texts) => texts.value(row),
            Self::View(texts) => texts.value(row),
        }
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Small(texts) => texts.is_null(row),
            Self::Large(texts) => texts.is_null(row),
            Self::View(texts) => texts.is_null(row),
        }
    }
}
