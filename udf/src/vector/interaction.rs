//! `interaction(a, b[, a_dims, b_dims])`: the products of every value of one vector with every value of another.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{DFSchema, Result, ScalarValue, exec_err};
use datafusion_expr::{ColumnarValue, Expr, lit};
use std::sync::Arc;

use crate::constants::Constants;
use crate::scalar::{Kernel, scalar_function};
use crate::sparse::{SparseBuilder, sparse_type, vector_field};
use crate::spec::{Spec, optional, required};
use crate::vector::column::{Row, Vectors, vector_argument};
use crate::vector::dimension::{self, MOST};

static SPEC: Spec = Spec {
    name: "interaction",
    section: "Vectors",
    summary: "The sparse vector of all products of a value of a and a value of b, as Spark's Interaction: the product of \
              place i of a and place j of b is at i * (dimension of b) + j. Of a number and a one-hot vector it is the \
              number at the place of the category. interaction(interaction(a, b), c) is Spark's of three columns. Null, \
              or a null in a list, gives null.",
    parameters: &[
        required("a", "A sparse vector, a list of numbers, or a number."),
        required("b", "A sparse vector, a list of numbers, or a number."),
        optional(
            "a_dims",
            "NULL",
            "The dimension of a, 0 to 2147483647, where its field does not state it; may be unknown.",
        ),
        optional(
            "b_dims",
            "NULL",
            "The dimension of b, 0 to 2147483647: must be given where its field does not state it.",
        ),
    ],
    example: "select interaction(2.5, one_hot(1, 3)); -- {indices: [1], values: [2.5]}",
};

#[derive(Debug)]
pub(crate) struct Interaction;

/// The dimension of the result, `None` if a factor's is not known; an error if there are too many places.
fn product(a: Option<i64>, b: Option<i64>) -> Result<Option<i64>> {
    match (a, b) {
        (Some(a), Some(b)) => match a.checked_mul(b).filter(|product| *product <= MOST) {
            Some(product) => Ok(Some(product)),
            None => exec_err!("the result of interaction has more than {MOST} places: a has {a} and b has {b}"),
        },
        _ => Ok(None),
    }
}

fn stated(constants: &Constants, parameter: &str) -> Result<Option<i64>> {
    if constants.is_varying(parameter) { Ok(None) } else { constants.integer_within(parameter, 0, MOST) }
}

impl Kernel for Interaction {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = vector_argument(SPEC.name, "a", &types[0])?;
        types[1] = vector_argument(SPEC.name, "b", &types[1])?;
        Ok(types)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        let a = stated(constants, "a_dims")?.or(dimension::of_field(&fields[0]));
        let b = stated(constants, "b_dims")?.or(dimension::of_field(&fields[1]));
        Ok(vector_field(SPEC.name, sparse_type(), product(a, b)?))
    }

    fn rewrite(&self, arguments: &[Expr], schema: &DFSchema) -> Result<Option<Expr>> {
        let mut call = arguments.to_vec();
        call.resize(SPEC.parameters.len(), lit(ScalarValue::Int64(None)));
        let mut changed = false;
        for place in 0..2 {
            if matches!(&call[place + 2], Expr::Literal(value, _) if value.is_null())
                && let Some(dimension) = dimension::of_argument(&arguments[place], schema)?
            {
                call[place + 2] = lit(ScalarValue::Int64(Some(dimension)));
                changed = true;
            }
        }
        Ok(changed.then(|| scalar_function(Interaction).call(call)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let a_dims = constants.integer_within("a_dims", 0, MOST)?;
        let b_dims = constants.integer_within("b_dims", 0, MOST)?;
        let a = Vectors::of(&arguments[0], rows, a_dims, "a of interaction")?;
        let b = Vectors::of(&arguments[1], rows, b_dims, "b of interaction")?;
        let Some(b_dims) = b_dims.or(b.known_dimension()) else {
            return exec_err!("b_dims of interaction must be given: the field of b does not state its dimension");
        };
        product(a_dims.or(a.known_dimension()), Some(b_dims))?;
        let mut result = SparseBuilder::default();
        for row in 0..rows {
            match (a.row(row)?, b.row(row)?) {
                (Some(a), Some(b)) => {
                    interact(a, b, b_dims, &mut result)?;
                    result.end_row();
                }
                _ => result.null_row(),
            }
        }
        Ok(Arc::new(result.finish()?))
    }
}

fn interact(a: Row<'_>, b: Row<'_>, b_dims: i64, result: &mut SparseBuilder) -> Result<()> {
    let last = match a {
        Row::Sparse(indices, _) => indices.last().map_or(0, |last| i64::from(*last)),
        Row::Dense(values) => (values.len() as i64 - 1).max(0),
    };
    product(Some(last + 1), Some(b_dims))?;
    a.for_each(|i, left| {
        let start = i64::from(i) * b_dims;
        b.for_each(|j, right| result.add((start + i64::from(j)) as i32, left * right));
    });
    Ok(())
}

#[cfg(test)]
mod tests;
