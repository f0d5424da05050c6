//! The part of a state that says which bins were found: the same for numbers and for categories.

use arrow::array::{ArrayRef, StringArray, new_null_array};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use std::sync::Arc;

use crate::class_counts::{ClassCounts, count_columns, tally_fields};
use crate::optimal::prebin::shape_of;
use crate::state::{list_of, one_list, struct_array, struct_of};

/// A list of counts.
pub(crate) fn counts_type() -> DataType {
    list_of(struct_of(&tally_fields(false)))
}

/// One list of counts, of the type [`counts_type`].
pub(crate) fn counts_list(counts: &[ClassCounts]) -> Result<ArrayRef> {
    Ok(one_list(Arc::new(struct_array(count_columns(counts.iter().copied()))?)))
}

/// The fields of the result.
pub(crate) fn result_fields() -> Vec<(&'static str, DataType)> {
    vec![("status", DataType::Utf8), ("shape", DataType::Utf8), ("bins", counts_type())]
}

/// The result in a partial state, which has none yet.
pub(crate) fn no_result() -> Vec<(&'static str, ArrayRef)> {
    result_fields().into_iter().map(|(name, data_type)| (name, new_null_array(&data_type, 1))).collect()
}

/// The result: `regular` bins, whose shape is told, and then the `others` (special ones and the missing one).
pub(crate) fn result_columns(
    status: &str,
    regular: &[ClassCounts],
    others: &[ClassCounts],
) -> Result<Vec<(&'static str, ArrayRef)>> {
    let shape: ArrayRef = Arc::new(StringArray::from(vec![shape_of(regular).name()]));
    let status: ArrayRef = Arc::new(StringArray::from(vec![status]));
    Ok(vec![("status", status), ("shape", shape), ("bins", counts_list(&[regular, others].concat())?)])
}
