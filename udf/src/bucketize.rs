//! `bucketize(x, edges)`: the number of the bin that a value falls in.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use arrow::error::ArrowError;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion::scalar::ScalarValue;
use std::sync::{Arc, LazyLock};

/// Bin numbers of `values` between `edges`, which must ascend: 0 below the first edge, `edges.len()` at or above the
/// last. A value on an edge belongs to the bin above it, as in Spark's `Bucketizer` and in `numpy.digitize(x, bins)`.
/// Null and NaN give null.
pub fn bucketize(values: &Float64Array, edges: &[f64]) -> Result<Int64Array, ArrowError> {
    if edges.iter().any(|edge| edge.is_nan()) || edges.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(ArrowError::InvalidArgumentError("the edges of bucketize must ascend strictly".to_string()));
    }
    let bin = |value: f64| edges.partition_point(|edge| *edge <= value) as i64;
    let bins = values.iter().map(|value| value.filter(|value| !value.is_nan()).map(bin));
    Ok(PrimitiveArray::<Int64Type>::from_iter(bins))
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bucketize {
    signature: Signature,
}

impl Bucketize {
    pub(crate) fn new() -> Self {
        let edges = DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)));
        let signature = TypeSignature::Exact(vec![DataType::Float64, edges]);
        Self { signature: Signature::one_of(vec![signature], Volatility::Immutable) }
    }
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Documentation::builder(
        datafusion::logical_expr::DocSection { include: true, label: "Feature Functions", description: None },
        "The number of the bin that a value falls in: 0 below the first edge, the number of edges at or above the last.",
        "bucketize(x, edges)",
    )
    .with_argument("x", "A number.")
    .with_argument("edges", "A list of numbers that ascends strictly.")
    .build()
});

impl ScalarUDFImpl for Bucketize {
    fn name(&self) -> &str {
        "bucketize"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [values, edges] = args.args.as_slice() else {
            return exec_err!("bucketize takes a number and a list of edges");
        };
        let ColumnarValue::Scalar(ScalarValue::List(edges)) = edges else {
            return exec_err!("the edges of bucketize must be the same for every row");
        };
        if edges.is_null(0) {
            return Ok(ColumnarValue::Scalar(ScalarValue::Int64(None)));
        }
        let edges = cast(&edges.value(0), &DataType::Float64)?;
        let edges: Vec<f64> = edges.as_primitive::<Float64Type>().iter().flatten().collect();
        let is_scalar = matches!(values, ColumnarValue::Scalar(_));
        let values: ArrayRef = values.to_array(args.number_rows)?;
        let bins = bucketize(values.as_primitive::<Float64Type>(), &edges)?;
        if is_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&bins, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(bins)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_on_an_edge_belong_to_the_bin_above() {
        // numpy.digitize([-1, 0, 0.5, 1, 2, inf], [0, 1, 2]) gives [0, 1, 1, 2, 3, 3].
        let values = Float64Array::from(vec![
            Some(-1.0),
            Some(0.0),
            Some(0.5),
            Some(1.0),
            Some(2.0),
            Some(f64::INFINITY),
            Some(f64::NAN),
            None,
        ]);
        let expected = Int64Array::from(vec![Some(0), Some(1), Some(1), Some(2), Some(3), Some(3), None, None]);
        assert_eq!(bucketize(&values, &[0.0, 1.0, 2.0]).unwrap(), expected);
    }

    #[test]
    fn edges_that_do_not_ascend_are_refused() {
        assert!(bucketize(&Float64Array::from(vec![1.0]), &[1.0, 1.0]).is_err());
        assert!(bucketize(&Float64Array::from(vec![1.0]), &[f64::NAN]).is_err());
    }
}
