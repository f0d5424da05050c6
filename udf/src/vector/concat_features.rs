//! `concat_features(vector, ...)`: one sparse vector out of several vectors.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{DFSchema, Result, ScalarValue, exec_err};
use datafusion_expr::{ColumnarValue, Expr, lit};
use std::sync::Arc;

use crate::constants::Constants;
use crate::scalar::{Kernel, scalar_function};
use crate::sparse::{SparseBuilder, sparse_type, vector_field};
use crate::spec::{Spec, repeated, required};
use crate::vector::column::{Row, Vectors, vector_argument};
use crate::vector::dimension::{self, MOST};

static SPEC: Spec = Spec {
    name: "concat_features",
    section: "Vectors",
    summary: "The vectors one after another, as one sparse vector, as Spark's VectorAssembler. The dimensions come from \
              the fields' metadata, as functions of this library state it; a number has the dimension 1, a constant list \
              its length. Only the last vector may have an unknown one: for others use concat_features_sized. A row in \
              which a vector is null, or a value in it, is null.",
    parameters: &[repeated("vector", "A sparse vector, a list of numbers, or a number.")],
    example: "select concat_features(one_hot(2, 4), 7.5); -- {indices: [2, 4], values: [1.0, 7.5]}",
};

static SIZED: Spec = Spec {
    name: "concat_features_sized",
    section: "Vectors",
    summary: "As concat_features, with the dimensions given.",
    parameters: &[
        required(
            "dims",
            "A constant list of the vectors' dimensions. A row with another dimension is an error. The last one may be \
             NULL: unknown.",
        ),
        repeated("vector", "A sparse vector, a list of numbers, or a number."),
    ],
    example: "select concat_features_sized([4, 1], sparse([2], [1.0], 4), 7.5); -- {indices: [2, 4], values: [1.0, 7.5]}",
};

#[derive(Debug)]
pub(crate) struct ConcatFeatures;

#[derive(Debug)]
pub(crate) struct ConcatFeaturesSized;

/// The sum of the dimensions, `None` if the last is not known; an error if there are too many places.
fn total(function: &str, dimensions: &[Option<i64>]) -> Result<Option<i64>> {
    let known = dimensions.iter().flatten().try_fold(0i64, |sum, dimension| sum.checked_add(*dimension));
    match known.filter(|sum| *sum <= MOST) {
        Some(sum) => Ok(dimensions.iter().all(Option::is_some).then_some(sum)),
        None => exec_err!("the vectors of {function} have more than {MOST} places in all"),
    }
}

fn vector_types(function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    types.iter().map(|data_type| vector_argument(function, "vector", data_type)).collect()
}

/// An error if the dimension of a vector before the last is not known.
fn check_known(function: &str, dimensions: &[Option<i64>]) -> Result<()> {
    let before_last = dimensions.split_last().map_or(&[][..], |(_, before)| before);
    match before_last.iter().position(Option::is_none) {
        None => Ok(()),
        Some(place) => exec_err!(
            "the dimension of vector {} of {function} is not known: give the dimensions with \
             concat_features_sized([…], …)",
            place + 1
        ),
    }
}

fn concat(function: &str, vectors: &[ColumnarValue], rows: usize, stated: &[Option<i64>]) -> Result<ArrayRef> {
    let mut columns = Vec::with_capacity(vectors.len());
    let mut dimensions = Vec::with_capacity(vectors.len());
    for (place, vector) in vectors.iter().enumerate() {
        let stated = stated.get(place).copied().flatten();
        let column = Vectors::of(vector, rows, stated, format!("vector {} of {function}", place + 1))?;
        dimensions.push(stated.or(column.known_dimension()));
        columns.push(column);
    }
    check_known(function, &dimensions)?;
    total(function, &dimensions)?;
    let mut result = SparseBuilder::default();
    for row in 0..rows {
        if concat_row(function, &columns, &dimensions, row, &mut result)? {
            result.end_row();
        } else {
            result.null_row();
        }
    }
    Ok(Arc::new(result.finish()?))
}

/// Adds a row's values; false if a vector is null.
fn concat_row(
    function: &str,
    columns: &[Vectors],
    dimensions: &[Option<i64>],
    row: usize,
    result: &mut SparseBuilder,
) -> Result<bool> {
    let mut offset = 0i64;
    for (column, dimension) in columns.iter().zip(dimensions) {
        let Some(vector) = column.row(row)? else { return Ok(false) };
        let last = match vector {
            Row::Sparse(indices, _) => indices.last().map_or(0, |last| i64::from(*last)),
            Row::Dense(values) => values.len() as i64 - 1,
        };
        if offset + last >= MOST {
            return exec_err!("the vectors of {function} have more than {MOST} places in all");
        }
        vector.for_each(|index, value| result.add(offset as i32 + index, value));
        offset += dimension.unwrap_or(0);
    }
    Ok(true)
}

impl Kernel for ConcatFeatures {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        vector_types(SPEC.name, types)
    }

    fn result(&self, fields: &[FieldRef], _constants: &Constants) -> Result<FieldRef> {
        let dimensions: Vec<Option<i64>> = fields.iter().map(|field| dimension::of_field(field)).collect();
        Ok(vector_field(SPEC.name, sparse_type(), total(SPEC.name, &dimensions)?))
    }

    fn rewrite(&self, arguments: &[Expr], schema: &DFSchema) -> Result<Option<Expr>> {
        let dimensions: Vec<Option<i64>> =
            arguments.iter().map(|argument| dimension::of_argument(argument, schema)).collect::<Result<_>>()?;
        if check_known(SPEC.name, &dimensions).is_err() {
            return Ok(None);
        }
        let dimensions: Vec<ScalarValue> = dimensions.into_iter().map(ScalarValue::Int64).collect();
        let list = ScalarValue::new_list_nullable(&dimensions, &DataType::Int64);
        let sized = std::iter::once(lit(ScalarValue::List(list))).chain(arguments.iter().cloned()).collect();
        Ok(Some(scalar_function(ConcatFeaturesSized).call(sized)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, _constants: &Constants) -> Result<ArrayRef> {
        concat(SPEC.name, arguments, rows, &[])
    }
}

/// The stated dimensions, of which the last may be `None`.
fn stated(constants: &Constants, vectors: usize) -> Result<Vec<Option<i64>>> {
    let items = constants.given("dims", constants.items("dims")?)?;
    if items.len() != vectors {
        return Err(constants.error("dims", format!("must have {vectors} dimensions: it has {}", items.len())));
    }
    let dimension = |(place, item): (usize, ScalarValue)| -> Result<Option<i64>> {
        if item.is_null() && place + 1 == vectors {
            return Ok(None);
        }
        match (item.data_type().is_integer(), item.cast_to(&DataType::Int64)) {
            (true, Ok(ScalarValue::Int64(Some(known)))) if (0..=MOST).contains(&known) => Ok(Some(known)),
            _ => Err(constants.error("dims", format!("must have whole numbers from 0 to {MOST}: it has {item}"))),
        }
    };
    items.into_iter().enumerate().map(dimension).collect()
}

impl Kernel for ConcatFeaturesSized {
    fn spec(&self) -> &'static Spec {
        &SIZED
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let vectors = vector_types(SIZED.name, &types[1..])?;
        Ok(std::iter::once(types[0].clone()).chain(vectors).collect())
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        let dimension = match constants.is_varying("dims") {
            true => None,
            false => total(SIZED.name, &stated(constants, fields.len() - 1)?)?,
        };
        Ok(vector_field(SIZED.name, sparse_type(), dimension))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let vectors = &arguments[1..];
        concat(SIZED.name, vectors, rows, &stated(constants, vectors.len())?)
    }
}

#[cfg(test)]
mod tests;
