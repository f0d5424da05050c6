//! `one_hot(i, n[, drop_last, unseen])`: the sparse vector of an index.

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::sparse::{SparseBuilder, sparse_type, vector_field};
use crate::spec::{Spec, optional, required};
use crate::vector::dimension::MOST;

static SPEC: Spec = Spec {
    name: "one_hot",
    section: "Vectors",
    summary: "The sparse vector of dimension n that is 1 at the index i, counted from 0, and 0 elsewhere; null for null. \
              As Spark's and scikit-learn's OneHotEncoder of an index.",
    parameters: &[
        required("i", "A whole number."),
        required("n", "How many indices there are, 1 to 2147483647."),
        optional(
            "drop_last",
            "false",
            "Whether the last index has no place of its own, so that the dimension is n - 1 (Spark's dropLast, which is \
             true by default there).",
        ),
        optional(
            "unseen",
            "'zeros'",
            "What an index below 0 or from n on gives: 'zeros' (a vector of zeros), 'null' or 'error'.",
        ),
    ],
    example: "select one_hot(2, 4); -- {indices: [2], values: [1.0]}",
};

#[derive(Debug)]
pub(crate) struct OneHot;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unseen {
    Zeros,
    Null,
    Error,
}

struct Options {
    n: i64,
    drop_last: bool,
    unseen: Unseen,
}

fn options(constants: &Constants) -> Result<Options> {
    let choices = [("zeros", Unseen::Zeros), ("null", Unseen::Null), ("error", Unseen::Error)];
    Ok(Options {
        n: constants.given("n", constants.integer_within("n", 1, MOST)?)?,
        drop_last: constants.boolean("drop_last")?.unwrap_or(false),
        unseen: constants.choice("unseen", &choices)?.unwrap_or(Unseen::Zeros),
    })
}

impl Kernel for OneHot {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        let index = match &types[0] {
            DataType::Dictionary(_, value) => value,
            other => other,
        };
        if !index.is_integer() && !matches!(index, DataType::Boolean | DataType::Null) {
            return plan_err!("i of one_hot must be a whole number: it is of type {}", types[0]);
        }
        types[0] = DataType::Int64;
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        let dimension = match constants.is_varying("n") {
            true => None,
            false => {
                let options = options(constants)?;
                Some(options.n - i64::from(options.drop_last))
            }
        };
        Ok(vector_field(SPEC.name, sparse_type(), dimension))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let Options { n, drop_last, unseen } = options(constants)?;
        let strict = CastOptions { safe: false, ..Default::default() };
        let indices = cast_with_options(&arguments[0].to_array(rows)?, &DataType::Int64, &strict)?;
        let mut vectors = SparseBuilder::default();
        for index in indices.as_primitive::<Int64Type>() {
            match index {
                None => {
                    vectors.null_row();
                    continue;
                }
                Some(index) if (0..n).contains(&index) => {
                    if !(drop_last && index == n - 1) {
                        vectors.add(index as i32, 1.0);
                    }
                }
                Some(index) => match unseen {
                    Unseen::Zeros => {}
                    Unseen::Null => {
                        vectors.null_row();
                        continue;
                    }
                    Unseen::Error => return exec_err!("i of one_hot must be from 0 to {}: it is {index}", n - 1),
                },
            }
            vectors.end_row();
        }
        Ok(Arc::new(vectors.finish()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse::dimension_of;
    use crate::testing::{Given, call, column, constant};
    use crate::vector::column::{Row, Vectors};
    use arrow::array::Int32Array;
    use datafusion_common::ScalarValue;

    fn hot(rest: &[Given]) -> Result<Vec<Option<Vec<i32>>>> {
        let indices = column(Int32Array::from(vec![Some(0), Some(3), Some(2), Some(4), Some(-1), None]));
        let result = call(&OneHot, &[vec![indices], rest.to_vec()].concat())?;
        let vectors = Vectors::of(&ColumnarValue::Array(Arc::clone(&result)), result.len(), None, "result")?;
        let indices = |row: usize| match vectors.row(row)? {
            None => Ok(None),
            Some(Row::Sparse(indices, values)) => {
                assert!(values.iter().all(|value| *value == 1.0));
                Ok(Some(indices.to_vec()))
            }
            Some(Row::Dense(_)) => exec_err!("the vector is sparse"),
        };
        (0..result.len()).map(indices).collect()
    }

    #[test]
    fn an_index_has_its_place() {
        let found = hot(&[constant(4i64)]).unwrap();
        assert_eq!(found, [Some(vec![0]), Some(vec![3]), Some(vec![2]), Some(vec![]), Some(vec![]), None]);
        // Spark's OneHotEncoder with dropLast: the last category is all zeros.
        let found = hot(&[constant(4i64), constant(true)]).unwrap();
        assert_eq!(found[..3], [Some(vec![0]), Some(vec![]), Some(vec![2])]);
        let found = hot(&[constant(4i64), constant(false), constant("null")]).unwrap();
        assert_eq!(found, [Some(vec![0]), Some(vec![3]), Some(vec![2]), None, None, None]);
    }

    #[test]
    fn the_dimension_is_known_when_the_call_is_planned() {
        let of = |n: i64, drop_last: bool| {
            let values = [ScalarValue::Null, n.into(), drop_last.into()];
            let values: Vec<Option<&ScalarValue>> = values.iter().map(Some).collect();
            dimension_of(&OneHot.result(&[], &Constants::planned(&SPEC, &values)).unwrap())
        };
        assert_eq!((of(4, false), of(4, true), of(1, true)), (Some(4), Some(3), Some(0)));
    }

    #[test]
    fn bad_arguments_are_refused_with_what_is_allowed() {
        let error = |rest: &[Given]| hot(rest).unwrap_err().to_string();
        assert!(error(&[constant(0i64)]).contains("n of one_hot must be at least 1: it is 0"));
        assert!(error(&[constant(i64::MAX)]).contains("n of one_hot must be at most 2147483647"));
        assert!(error(&[constant(4i64), constant(false), constant("error")]).contains("from 0 to 3: it is 4"));
        let text = call(&OneHot, &[constant("a"), constant(4i64)]);
        assert!(text.unwrap_err().to_string().contains("i of one_hot must be a whole number"));
    }
}
