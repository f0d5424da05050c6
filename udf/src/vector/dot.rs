//! `dot(a, b)`: the inner product of two vectors.

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::ColumnarValue;
use std::cmp::Ordering;
use std::sync::Arc;

use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::spec::{Spec, required};
use crate::vector::column::{Row, Vectors, vector_argument};
use crate::vector::dimension;

static SPEC: Spec = Spec {
    name: "dot",
    section: "Vectors",
    summary: "The sum of the products of two vectors' values, added in the order of the indices. Places that a sparse \
              vector does not store do not count. Null, or a null in a list, gives null.",
    parameters: &[
        required("a", "A sparse vector, a list of numbers, or a number."),
        required("b", "A sparse vector, a list of numbers, or a number, of the same dimension."),
    ],
    example: "select dot(sparse([0, 2], [2.0, 3.0], 3), [1.0, 5.0, 10.0]); -- 32.0",
};

#[derive(Debug)]
pub(crate) struct Dot;

fn dense_dense(a: &[f64], b: &[f64]) -> Result<f64> {
    if a.len() != b.len() {
        return exec_err!("the vectors of dot must have one dimension: a has {} and b has {}", a.len(), b.len());
    }
    Ok(a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b))
}

fn sparse_dense(indices: &[i32], values: &[f64], dense: &[f64]) -> Result<f64> {
    match indices.last() {
        Some(last) if *last as usize >= dense.len() => exec_err!(
            "the vectors of dot must have one dimension: one has the index {last}, and the other {} places",
            dense.len()
        ),
        _ => Ok(indices.iter().zip(values).fold(0.0, |sum, (index, value)| sum + value * dense[*index as usize])),
    }
}

fn sparse_sparse(a: (&[i32], &[f64]), b: (&[i32], &[f64])) -> f64 {
    let (mut left, mut right, mut sum) = (0, 0, 0.0);
    while left < a.0.len() && right < b.0.len() {
        match a.0[left].cmp(&b.0[right]) {
            Ordering::Less => left += 1,
            Ordering::Greater => right += 1,
            Ordering::Equal => {
                sum += a.1[left] * b.1[right];
                left += 1;
                right += 1;
            }
        }
    }
    sum
}

fn dot(a: Row<'_>, b: Row<'_>) -> Result<f64> {
    match (a, b) {
        (Row::Dense(a), Row::Dense(b)) => dense_dense(a, b),
        (Row::Sparse(indices, values), Row::Dense(dense)) | (Row::Dense(dense), Row::Sparse(indices, values)) => {
            sparse_dense(indices, values, dense)
        }
        (Row::Sparse(indices, values), Row::Sparse(others, numbers)) => {
            Ok(sparse_sparse((indices, values), (others, numbers)))
        }
    }
}

impl Kernel for Dot {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![vector_argument(SPEC.name, "a", &types[0])?, vector_argument(SPEC.name, "b", &types[1])?])
    }

    fn result(&self, fields: &[FieldRef], _constants: &Constants) -> Result<FieldRef> {
        // A vector of type NULL is a number here, and has every dimension.
        let known = |field: &FieldRef| dimension::of_field(field).filter(|_| field.data_type() != &DataType::Float64);
        match (known(&fields[0]), known(&fields[1])) {
            (Some(a), Some(b)) if a != b => {
                plan_err!("the vectors of dot must have one dimension: a has {a} and b has {b}")
            }
            _ => Ok(Arc::new(Field::new(SPEC.name, DataType::Float64, true))),
        }
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, _constants: &Constants) -> Result<ArrayRef> {
        let a = Vectors::of(&arguments[0], rows, None, "a of dot")?;
        let b = Vectors::of(&arguments[1], rows, None, "b of dot")?;
        let product = |row: usize| match (a.row(row)?, b.row(row)?) {
            (Some(a), Some(b)) => dot(a, b).map(Some),
            _ => Ok(None),
        };
        Ok(Arc::new((0..rows).map(product).collect::<Result<Float64Array>>()?))
    }
}

#[cfg(test)]
mod tests;
