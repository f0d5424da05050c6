//! The sparse vector: `struct<indices: list<int32>, values: list<float64>>`, with its dimension in the metadata of its
//! field. Indices ascend and do not repeat; they count from 0.

use arrow::array::{ArrayRef, Float64Array, Int32Array, ListArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, exec_err};
use std::collections::HashMap;
use std::sync::Arc;

use crate::state::{list_of, struct_of};

/// The key of the dimension in a field's metadata.
pub const DIMENSION: &str = "sluice.dimension";

/// The type of a sparse vector.
pub(crate) fn sparse_type() -> DataType {
    struct_of(&[("indices", list_of(DataType::Int32)), ("values", list_of(DataType::Float64))])
}

/// The field of a vector (sparse, or a list of numbers) with a known dimension.
pub(crate) fn vector_field(name: &str, data_type: DataType, dimension: Option<i64>) -> FieldRef {
    let field = Field::new(name, data_type, true);
    Arc::new(match dimension {
        None => field,
        Some(dimension) => field.with_metadata(HashMap::from([(DIMENSION.to_string(), dimension.to_string())])),
    })
}

/// The dimension that a field states.
pub(crate) fn dimension_of(field: &Field) -> Option<i64> {
    field.metadata().get(DIMENSION).and_then(|dimension| dimension.parse().ok())
}

/// Builds an array of sparse vectors, row by row.
#[derive(Debug, Default)]
pub(crate) struct SparseBuilder {
    indices: Vec<i32>,
    values: Vec<f64>,
    lengths: Vec<usize>,
    valid: Vec<bool>,
    row: Vec<(i32, f64)>,
}

impl SparseBuilder {
    /// Adds `value` at `index` of the row under way; values at the same index add up, in the order of their coming.
    pub(crate) fn add(&mut self, index: i32, value: f64) {
        self.row.push((index, value));
    }

    /// Ends the row under way.
    pub(crate) fn end_row(&mut self) {
        self.row.sort_by_key(|(index, _)| *index);
        let start = self.indices.len();
        for (index, value) in self.row.drain(..) {
            match self.values.last_mut() {
                Some(last) if self.indices.len() > start && self.indices.last() == Some(&index) => *last += value,
                _ => {
                    self.indices.push(index);
                    self.values.push(value);
                }
            }
        }
        self.lengths.push(self.indices.len() - start);
        self.valid.push(true);
    }

    /// Adds a null row.
    pub(crate) fn null_row(&mut self) {
        self.row.clear();
        self.lengths.push(0);
        self.valid.push(false);
    }

    /// The vectors.
    pub(crate) fn finish(self) -> Result<StructArray> {
        if i32::try_from(self.indices.len()).is_err() {
            return exec_err!("a batch of sparse vectors has more than {} values: use smaller batches", i32::MAX);
        }
        let offsets = OffsetBuffer::<i32>::from_lengths(self.lengths);
        let list = |values: ArrayRef| -> Result<ArrayRef> {
            let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            Ok(Arc::new(ListArray::try_new(field, offsets.clone(), values, None)?))
        };
        let indices = list(Arc::new(Int32Array::from(self.indices)))?;
        let values = list(Arc::new(Float64Array::from(self.values)))?;
        let DataType::Struct(fields) = sparse_type() else { unreachable!("a sparse vector is a struct") };
        let nulls = Some(NullBuffer::from(self.valid)).filter(|nulls| nulls.null_count() > 0);
        Ok(StructArray::try_new(fields, vec![indices, values], nulls)?)
    }
}
