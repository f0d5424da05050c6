//! `bucketize(x, edges[, closed])`: the number of the bin that a value falls in.

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::constants::Constants;
use crate::numbers::{Closed, number_argument};
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};

/// Bin numbers of `values` between `edges`, which must ascend strictly: 0 below the first edge, `edges.len()` above the
/// last. A value on an edge belongs to the bin above it if bins are closed on the left, as in Spark's `Bucketizer` and
/// `numpy.digitize(x, bins)`, else to the bin below, as in `numpy.digitize(x, bins, right=True)`. Null and NaN give
/// null.
pub fn bucketize(values: &Float64Array, edges: &[f64], closed: Closed) -> Int64Array {
    let bin = |value: f64| match closed {
        Closed::Left => edges.partition_point(|edge| *edge <= value) as i64,
        Closed::Right => edges.partition_point(|edge| *edge < value) as i64,
    };
    values.iter().map(|value| value.filter(|value| !value.is_nan()).map(bin)).collect()
}

static SPEC: Spec = Spec {
    name: "bucketize",
    section: "Binning",
    summary: "The number of the bin that a value falls in: 0 below the first edge, the number of edges above the last; \
              null for null and NaN. As Spark's Bucketizer and numpy's digitize.",
    parameters: &[
        required("x", "A number."),
        required("edges", "A constant list of numbers that ascends strictly."),
        optional(
            "closed",
            "'left'",
            "Which end of a bin belongs to it: 'left' (a value on an edge is in the bin above) or 'right'.",
        ),
    ],
    example: "select bucketize(18.0, [18.0, 65.0]); -- 1",
};

#[derive(Debug)]
pub(crate) struct Bucketize;

fn options(constants: &Constants) -> Result<Option<(Vec<f64>, Closed)>> {
    let closed = constants.choice("closed", &Closed::NAMES)?.unwrap_or(Closed::Left);
    let Some(edges) = constants.floats("edges")? else { return Ok(None) };
    if let Some(pair) = edges.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(constants.error("edges", format!("must ascend strictly: {} follows {}", pair[1], pair[0])));
    }
    Ok(Some((edges, closed)))
}

impl Kernel for Bucketize {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = number_argument(&SPEC, "x", &types[0])?;
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        // A list of literals is folded to a constant after this first look.
        if !constants.is_varying("edges") {
            options(constants)?;
        }
        Ok(Arc::new(Field::new(SPEC.name, DataType::Int64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let values = cast(&arguments[0].to_array(rows)?, &DataType::Float64)?;
        Ok(match options(constants)? {
            None => Arc::new(Int64Array::new_null(rows)),
            Some((edges, closed)) => Arc::new(bucketize(values.as_primitive::<Float64Type>(), &edges, closed)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bins(closed: Closed) -> Int64Array {
        let values =
            [Some(-1.0), Some(0.0), Some(0.5), Some(1.0), Some(2.0), Some(f64::INFINITY), Some(f64::NAN), None];
        bucketize(&Float64Array::from(values.to_vec()), &[0.0, 1.0, 2.0], closed)
    }

    #[test]
    fn values_on_an_edge_belong_to_the_bin_above_or_below() {
        // numpy.digitize([-1, 0, 0.5, 1, 2, inf], [0, 1, 2]) gives [0, 1, 1, 2, 3, 3], with right=True [0, 0, 1, 1, 2, 3].
        let left = vec![Some(0), Some(1), Some(1), Some(2), Some(3), Some(3), None, None];
        assert_eq!(bins(Closed::Left), Int64Array::from(left));
        let right = vec![Some(0), Some(0), Some(1), Some(1), Some(2), Some(3), None, None];
        assert_eq!(bins(Closed::Right), Int64Array::from(right));
    }
}
