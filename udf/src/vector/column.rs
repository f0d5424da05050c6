//! A column of vectors in any form, read row by row.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, ListArray, StructArray, new_null_array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::sparse::sparse_type;
use crate::state::list_of;
use crate::vector::MOST_DENSE;

/// The type that a vector is cast to: a sparse vector, a list of `Float64` (of a fixed size where the size is in the
/// type), or `Float64` for one number.
pub(crate) fn vector_argument(function: &str, parameter: &str, data_type: &DataType) -> Result<DataType> {
    let wrong = || {
        plan_err!(
            "{parameter} of {function} must be a sparse vector, a list of numbers or a number: it is of type \
                   {data_type}"
        )
    };
    let is_number = |element: &DataType| element.is_numeric() || matches!(element, DataType::Boolean | DataType::Null);
    match data_type {
        DataType::Dictionary(_, value) if is_number(value) => Ok(DataType::Float64),
        DataType::List(field) | DataType::LargeList(field) if is_number(field.data_type()) => {
            Ok(list_of(DataType::Float64))
        }
        DataType::FixedSizeList(field, size) if is_number(field.data_type()) => {
            Ok(DataType::FixedSizeList(Arc::new(Field::new_list_field(DataType::Float64, true)), *size))
        }
        DataType::Struct(fields) => {
            let has = |name: &str| fields.iter().any(|field| field.name() == name);
            if fields.len() == 2 && has("indices") && has("values") { Ok(sparse_type()) } else { wrong() }
        }
        data_type if is_number(data_type) => Ok(DataType::Float64),
        _ => wrong(),
    }
}

/// One vector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Row<'a> {
    /// Indices that ascend from 0, and as many values.
    Sparse(&'a [i32], &'a [f64]),
    /// All values.
    Dense(&'a [f64]),
}

impl Row<'_> {
    /// Calls `each` with every value that is stored and is not 0, in the order of the indices.
    pub(crate) fn for_each(&self, mut each: impl FnMut(i32, f64)) {
        match self {
            Self::Sparse(indices, values) => {
                indices.iter().zip(*values).filter(|(_, value)| **value != 0.0).for_each(|(i, value)| each(*i, *value));
            }
            Self::Dense(values) => {
                let values = values.iter().enumerate().filter(|(_, value)| **value != 0.0);
                values.for_each(|(i, value)| each(i as i32, *value));
            }
        }
    }
}

/// A column of vectors, or one vector for all rows.
#[derive(Debug)]
pub(crate) struct Vectors {
    form: Form,
    nulls: Option<NullBuffer>,
    constant: bool,
    label: String,
    dimension: Option<i64>,
}

#[derive(Debug)]
enum Form {
    Numbers(Float64Array),
    Dense { offsets: OffsetBuffer<i32>, values: Float64Array },
    Sparse { indices: (OffsetBuffer<i32>, Int32Array), values: (OffsetBuffer<i32>, Float64Array) },
}

fn parts(lists: &ArrayRef) -> Result<(OffsetBuffer<i32>, &ArrayRef)> {
    match lists.as_list_opt::<i32>() {
        Some(lists) => Ok((lists.offsets().clone(), lists.values())),
        None => exec_err!("a vector must have lists of numbers: it has {}", lists.data_type()),
    }
}

impl Vectors {
    /// Reads an argument; `dimension`, if it is known, is what every row must have. `label` names the argument in
    /// errors, as `a of dot`.
    pub(crate) fn of(
        argument: &ColumnarValue,
        rows: usize,
        dimension: Option<i64>,
        label: impl Into<String>,
    ) -> Result<Self> {
        let constant = matches!(argument, ColumnarValue::Scalar(_));
        let column = argument.to_array(if constant { 1 } else { rows })?;
        let column = match column.data_type() {
            DataType::Null => new_null_array(&DataType::Float64, column.len()),
            DataType::LargeList(_) | DataType::FixedSizeList(_, _) | DataType::List(_) => {
                cast(&column, &list_of(DataType::Float64))?
            }
            DataType::Struct(_) => column,
            _ => cast(&column, &DataType::Float64)?,
        };
        let nulls = column.nulls().cloned();
        let (form, nulls) = match column.data_type() {
            DataType::Struct(_) => sparse_form(column.as_struct(), nulls)?,
            DataType::List(_) => {
                let (offsets, values) = parts(&column)?;
                (Form::Dense { offsets, values: values.as_primitive::<Float64Type>().clone() }, nulls)
            }
            _ => (Form::Numbers(column.as_primitive::<Float64Type>().clone()), nulls),
        };
        Ok(Self { form, nulls, constant, label: label.into(), dimension })
    }

    /// Whether the vectors are dense: lists or numbers.
    pub(crate) fn is_dense(&self) -> bool {
        !matches!(self.form, Form::Sparse { .. })
    }

    /// The dimension that the constant, or a single number, has.
    pub(crate) fn known_dimension(&self) -> Option<i64> {
        match &self.form {
            Form::Numbers(_) => Some(1),
            Form::Dense { offsets, .. } if self.constant && self.nulls.is_none() => {
                Some(i64::from(offsets[1] - offsets[0]))
            }
            _ => None,
        }
    }

    /// The vector of a row; `None` if it is null or a value in it is. An error if it is malformed, or does not have the
    /// dimension that was stated.
    pub(crate) fn row(&self, row: usize) -> Result<Option<Row<'_>>> {
        let row = if self.constant { 0 } else { row };
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(None);
        }
        match &self.form {
            Form::Numbers(values) => Ok(Some(Row::Dense(&values.values()[row..row + 1]))),
            Form::Dense { offsets, values } => {
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                if let Some(dimension) = self.dimension.filter(|dimension| *dimension != range.len() as i64) {
                    return exec_err!("{} must have the dimension {dimension}: it has {}", self.label, range.len());
                }
                if values.null_count() > 0 && range.clone().any(|place| values.is_null(place)) {
                    return Ok(None);
                }
                Ok(Some(Row::Dense(&values.values()[range])))
            }
            Form::Sparse { indices, values } => self.sparse_row(row, indices, values),
        }
    }

    fn sparse_row<'a>(
        &self,
        row: usize,
        (index_offsets, indices): &'a (OffsetBuffer<i32>, Int32Array),
        (value_offsets, values): &'a (OffsetBuffer<i32>, Float64Array),
    ) -> Result<Option<Row<'a>>> {
        let places = index_offsets[row] as usize..index_offsets[row + 1] as usize;
        let range = value_offsets[row] as usize..value_offsets[row + 1] as usize;
        let nulls = indices.null_count() + values.null_count() > 0;
        if nulls && (places.clone().any(|at| indices.is_null(at)) || range.clone().any(|at| values.is_null(at))) {
            return Ok(None);
        }
        let (indices, values) = (&indices.values()[places], &values.values()[range]);
        let ascend = indices.first().is_none_or(|first| *first >= 0) && indices.windows(2).all(|two| two[0] < two[1]);
        if indices.len() != values.len() || !ascend {
            return exec_err!(
                "{} must have indices that ascend from 0 and as many values: sparse(indices, values, dims) makes such",
                self.label
            );
        }
        match (self.dimension, indices.last()) {
            (Some(dimension), Some(last)) if i64::from(*last) >= dimension => {
                exec_err!("{} must have the dimension {dimension}: it has the index {last}", self.label)
            }
            _ => Ok(Some(Row::Sparse(indices, values))),
        }
    }
}

fn sparse_form(vectors: &StructArray, nulls: Option<NullBuffer>) -> Result<(Form, Option<NullBuffer>)> {
    let child = |name: &str, data_type: DataType| -> Result<ArrayRef> {
        match vectors.column_by_name(name) {
            Some(child) => Ok(cast(child, &list_of(data_type))?),
            None => exec_err!("a sparse vector has a field {name}"),
        }
    };
    let indices = child("indices", DataType::Int32)?;
    let values = child("values", DataType::Float64)?;
    let nulls = NullBuffer::union(NullBuffer::union(nulls.as_ref(), indices.nulls()).as_ref(), values.nulls());
    let (index_offsets, index_values) = parts(&indices)?;
    let (value_offsets, numbers) = parts(&values)?;
    let indices = (index_offsets, index_values.as_primitive::<Int32Type>().clone());
    let values = (value_offsets, numbers.as_primitive::<Float64Type>().clone());
    Ok((Form::Sparse { indices, values }, nulls))
}

/// Builds dense vectors, row by row.
#[derive(Debug, Default)]
pub(crate) struct DenseBuilder {
    values: Vec<f64>,
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

impl DenseBuilder {
    /// Adds a row of `length` numbers, all 0, to be filled in; an error if the batch becomes too large.
    pub(crate) fn row(&mut self, length: usize) -> Result<&mut [f64]> {
        let start = self.values.len();
        let end = start.checked_add(length).filter(|end| *end <= MOST_DENSE);
        let Some(end) = end else {
            return exec_err!(
                "the dense vectors of a batch have more than {MOST_DENSE} numbers: keep them sparse, or use smaller batches"
            );
        };
        self.values.resize(end, 0.0);
        self.lengths.push(length);
        self.valid.push(true);
        Ok(&mut self.values[start..])
    }

    /// Adds a null row.
    pub(crate) fn null_row(&mut self) {
        self.lengths.push(0);
        self.valid.push(false);
    }

    /// The lists.
    pub(crate) fn finish(self) -> Result<ArrayRef> {
        let field = Arc::new(Field::new_list_field(DataType::Float64, true));
        let nulls = Some(NullBuffer::from(self.valid)).filter(|nulls| nulls.null_count() > 0);
        let values = Arc::new(Float64Array::from(self.values));
        Ok(Arc::new(ListArray::try_new(field, OffsetBuffer::from_lengths(self.lengths), values, nulls)?))
    }
}
