//! `sparse(vector[, dims])`, `sparse(indices, values, dims)` and `dense(vector[, dims])`: from one form to the other.

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, FieldRef, Float64Type, Int64Type};
use datafusion_common::{DFSchema, Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, Expr, lit};
use std::sync::Arc;

use crate::constants::Constants;
use crate::scalar::{Kernel, scalar_function};
use crate::sparse::{SparseBuilder, sparse_type, vector_field};
use crate::spec::{Spec, optional, required};
use crate::state::list_of;
use crate::vector::column::{DenseBuilder, Row, Vectors, vector_argument};
use crate::vector::dimension::{self, MOST};

static SPARSE: Spec = Spec {
    name: "sparse",
    section: "Vectors",
    summary: "A sparse vector, a struct of indices (list of INT, ascending from 0) and values (list of DOUBLE): of a list of \
              numbers, whose zeros are left out, or of indices and values in any order, where the values of an index that \
              comes twice add up. sparse(vector, dims) states the dimension of a vector that is sparse. Null, and a null \
              in a list, give null.",
    parameters: &[
        required("vector", "A list of numbers, a sparse vector, or a list of indices."),
        optional("values", "NULL", "The values at the indices; or the dimension of the vector."),
        optional("dims", "NULL", "The dimension, 0 to 2147483647: must be given with indices and values."),
    ],
    example: "select sparse([0.0, 2.5, 0.0]), sparse([4, 1], [1.0, 2.0], 6); \
              -- {indices: [1], values: [2.5]}, {indices: [1, 4], values: [2.0, 1.0]}",
};

static DENSE: Spec = Spec {
    name: "dense",
    section: "Vectors",
    summary: "The list of all numbers of a vector, zeros included. Null gives null.",
    parameters: &[
        required("vector", "A sparse vector, a list of numbers, or a number."),
        optional(
            "dims",
            "NULL",
            "The dimension, 0 to 2147483647: must be given where the vector's field does not state it.",
        ),
    ],
    example: "select dense(sparse([1], [2.5], 3)); -- [0.0, 2.5, 0.0]",
};

#[derive(Debug)]
pub(crate) struct Sparse;

#[derive(Debug)]
pub(crate) struct Dense;

fn is_list(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _))
}

/// The dimension: the third argument, or the second if that is no list of values.
fn sparse_dimension(constants: &Constants, has_values: bool) -> Result<Option<i64>> {
    let dimension = constants.integer_within("dims", 0, MOST)?;
    if has_values {
        return constants.given("dims", dimension).map(Some);
    }
    Ok(dimension.or(constants.integer_within("values", 0, MOST)?))
}

impl Kernel for Sparse {
    fn spec(&self) -> &'static Spec {
        &SPARSE
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        let has_values = types.get(1).is_some_and(is_list);
        types[0] = match vector_argument(SPARSE.name, "vector", &types[0])? {
            DataType::Float64 if types[0] == DataType::Null => list_of(DataType::Float64),
            DataType::List(_) | DataType::FixedSizeList(_, _) if has_values => list_of(DataType::Int64),
            known => known,
        };
        if has_values {
            if !is_list(&types[0]) {
                return plan_err!(
                    "vector of sparse must be a list of indices where there are values: it is of type {}",
                    types[0]
                );
            }
            types[1] = match vector_argument(SPARSE.name, "values", &types[1])? {
                DataType::FixedSizeList(_, _) => list_of(DataType::Float64),
                known => known,
            };
        }
        Ok(types)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        let has_values = fields.get(1).is_some_and(|field| is_list(field.data_type()));
        let varying = constants.is_varying("dims") || (!has_values && constants.is_varying("values"));
        let stated = if varying { None } else { sparse_dimension(constants, has_values)? };
        let known = if has_values { None } else { dimension::of_field(&fields[0]) };
        Ok(vector_field(SPARSE.name, sparse_type(), stated.or(known)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let values = arguments.get(1).filter(|values| is_list(&values.data_type()));
        let dimension = sparse_dimension(constants, values.is_some())?;
        let mut vectors = SparseBuilder::default();
        match (values, dimension) {
            (Some(values), Some(dimension)) => {
                let (indices, values) = (arguments[0].to_array(rows)?, values.to_array(rows)?);
                from_parts(indices.as_list(), values.as_list(), dimension, &mut vectors)?;
            }
            _ => {
                let given = Vectors::of(&arguments[0], rows, None, "vector of sparse")?;
                for row in 0..rows {
                    match given.row(row)? {
                        None => vectors.null_row(),
                        Some(vector) => {
                            fits(vector, dimension)?;
                            vector.for_each(|index, value| vectors.add(index, value));
                            vectors.end_row();
                        }
                    }
                }
            }
        }
        Ok(Arc::new(vectors.finish()?))
    }
}

/// An error if a vector has a value at or beyond the dimension.
fn fits(vector: Row<'_>, dimension: Option<i64>) -> Result<()> {
    let places = match vector {
        Row::Sparse(indices, _) => indices.last().map_or(0, |last| i64::from(*last) + 1),
        Row::Dense(values) => values.len() as i64,
    };
    match dimension {
        Some(dimension) if places > dimension => {
            exec_err!("vector of sparse must have at most dims = {dimension} places: it has {places}")
        }
        _ => Ok(()),
    }
}

fn from_parts(indices: &ListArray, values: &ListArray, dimension: i64, vectors: &mut SparseBuilder) -> Result<()> {
    let strict = CastOptions { safe: false, ..Default::default() };
    let index_values = cast_with_options(indices.values(), &DataType::Int64, &strict)?;
    let index_values = index_values.as_primitive::<Int64Type>();
    let numbers = cast_with_options(values.values(), &DataType::Float64, &strict)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    for row in 0..indices.len() {
        let at = |lists: &ListArray| lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize;
        let (places, range) = (at(indices), at(values));
        let null = indices.is_null(row)
            || values.is_null(row)
            || places.clone().any(|at| index_values.is_null(at))
            || range.clone().any(|at| numbers.is_null(at));
        if null {
            vectors.null_row();
            continue;
        }
        if places.len() != range.len() {
            return exec_err!(
                "sparse needs as many values as indices: there are {} indices and {} values",
                places.len(),
                range.len()
            );
        }
        for (index, value) in index_values.values()[places].iter().zip(&numbers.values()[range]) {
            if !(0..dimension).contains(index) {
                return exec_err!("the indices of sparse must be from 0 to {}: there is {index}", dimension - 1);
            }
            vectors.add(*index as i32, *value);
        }
        vectors.end_row();
    }
    Ok(())
}

impl Kernel for Dense {
    fn spec(&self) -> &'static Spec {
        &DENSE
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = vector_argument(DENSE.name, "vector", &types[0])?;
        Ok(types)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        let known = dimension::of_field(&fields[0]);
        let stated = if constants.is_varying("dims") { None } else { constants.integer_within("dims", 0, MOST)? };
        Ok(vector_field(DENSE.name, list_of(DataType::Float64), stated.or(known)))
    }

    fn rewrite(&self, arguments: &[Expr], schema: &DFSchema) -> Result<Option<Expr>> {
        let is_missing = arguments.get(1).is_none_or(|dims| matches!(dims, Expr::Literal(value, _) if value.is_null()));
        match dimension::of_argument(&arguments[0], schema)? {
            Some(dimension) if is_missing => {
                let call = vec![arguments[0].clone(), lit(ScalarValue::Int64(Some(dimension)))];
                Ok(Some(scalar_function(Dense).call(call)))
            }
            _ => Ok(None),
        }
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let dimension = constants.integer_within("dims", 0, MOST)?;
        let given = Vectors::of(&arguments[0], rows, dimension, "vector of dense")?;
        let mut lists = DenseBuilder::default();
        for row in 0..rows {
            match (given.row(row)?, dimension) {
                (None, _) => lists.null_row(),
                (Some(Row::Dense(values)), _) => lists.row(values.len())?.copy_from_slice(values),
                (Some(Row::Sparse(indices, values)), Some(dimension)) => {
                    let list = lists.row(dimension as usize)?;
                    indices.iter().zip(values).for_each(|(index, value)| list[*index as usize] = *value);
                }
                (Some(Row::Sparse(_, _)), None) => {
                    return exec_err!(
                        "dims of dense must be given: the field of the vector does not state its dimension"
                    );
                }
            }
        }
        lists.finish()
    }
}

#[cfg(test)]
mod tests;
