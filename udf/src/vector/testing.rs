//! Vectors as the tests of this group write and read them.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, ListArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Int64Type};
use datafusion_common::ScalarValue;
use std::sync::Arc;

use crate::sparse::sparse_type;

/// A sparse vector as pairs; malformed ones can be written, too.
pub(crate) type Pairs = Option<Vec<(i32, f64)>>;

fn list(values: ArrayRef, lengths: &[usize], nulls: Option<NullBuffer>) -> ListArray {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    ListArray::new(field, OffsetBuffer::from_lengths(lengths.iter().copied()), values, nulls)
}

/// A column of sparse vectors.
pub(crate) fn sparse(rows: &[Pairs]) -> StructArray {
    let lengths: Vec<usize> = rows.iter().map(|row| row.as_ref().map_or(0, Vec::len)).collect();
    let pairs = || rows.iter().flatten().flatten();
    let indices = list(Arc::new(Int32Array::from_iter_values(pairs().map(|pair| pair.0))), &lengths, None);
    let values = list(Arc::new(Float64Array::from_iter_values(pairs().map(|pair| pair.1))), &lengths, None);
    let DataType::Struct(fields) = sparse_type() else { panic!("a sparse vector is a struct") };
    let nulls = NullBuffer::from_iter(rows.iter().map(Option::is_some));
    StructArray::new(fields, vec![Arc::new(indices), Arc::new(values)], Some(nulls))
}

/// A column of lists of numbers.
pub(crate) fn dense(rows: &[Option<Vec<f64>>]) -> ListArray {
    let lengths: Vec<usize> = rows.iter().map(|row| row.as_ref().map_or(0, Vec::len)).collect();
    let values = Float64Array::from_iter_values(rows.iter().flatten().flatten().copied());
    list(Arc::new(values), &lengths, Some(NullBuffer::from_iter(rows.iter().map(Option::is_some))))
}

/// A constant list of numbers.
pub(crate) fn constant_list(values: &[f64]) -> ScalarValue {
    ScalarValue::List(Arc::new(dense(&[Some(values.to_vec())])))
}

/// A constant list of whole numbers.
pub(crate) fn integers(values: &[Option<i64>]) -> ScalarValue {
    let values: Vec<ScalarValue> = values.iter().map(|value| ScalarValue::Int64(*value)).collect();
    ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Int64))
}

/// The rows of a column of sparse vectors.
pub(crate) fn sparse_rows(vectors: &ArrayRef) -> Vec<Pairs> {
    let vectors = vectors.as_struct();
    let (indices, values) = (vectors.column(0).as_list::<i32>(), vectors.column(1).as_list::<i32>());
    let row = |row: usize| {
        let indices = indices.value(row).as_primitive::<Int32Type>().values().to_vec();
        let values = values.value(row).as_primitive::<Float64Type>().values().to_vec();
        vectors.is_valid(row).then(|| indices.into_iter().zip(values).collect())
    };
    (0..vectors.len()).map(row).collect()
}

/// The rows of a column of lists of numbers.
pub(crate) fn dense_rows(vectors: &ArrayRef) -> Vec<Option<Vec<f64>>> {
    let numbers = |list: ArrayRef| list.as_primitive::<Float64Type>().values().to_vec();
    vectors.as_list::<i32>().iter().map(|list| list.map(numbers)).collect()
}

/// The whole numbers of a constant list.
pub(crate) fn integers_of(value: &ScalarValue) -> Vec<Option<i64>> {
    let ScalarValue::List(list) = value else { panic!("{value} is no list") };
    list.value(0).as_primitive::<Int64Type>().iter().collect()
}
