//! `l1_normalize(vector)` and `l2_normalize(vector)`: vectors of the length 1.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, plan_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::sparse::{SparseBuilder, sparse_type, vector_field};
use crate::spec::{Spec, required};
use crate::state::list_of;
use crate::vector::column::{DenseBuilder, Row, Vectors, vector_argument};
use crate::vector::dimension;

const VECTOR_DOC: &str = "A sparse vector, or a list of numbers.";

static L1: Spec = Spec {
    name: "l1_normalize",
    section: "Vectors",
    summary: "The vector divided by the sum of its absolute values, in the form that it has; a vector of zeros stays one, as \
              in scikit-learn's normalize. Null, or a null in a list, gives null.",
    parameters: &[required("vector", VECTOR_DOC)],
    example: "select l1_normalize([1.0, -3.0]); -- [0.25, -0.75]",
};

static L2: Spec = Spec {
    name: "l2_normalize",
    section: "Vectors",
    summary: "The vector divided by the root of the sum of its squares, in the form that it has; a vector of zeros stays \
              one, as in scikit-learn's normalize. Null, or a null in a list, gives null.",
    parameters: &[required("vector", VECTOR_DOC)],
    example: "select l2_normalize([3.0, 4.0]); -- [0.6, 0.8]",
};

/// Which length becomes 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Normalize {
    L1,
    L2,
}

/// The largest power of two that is at most the largest absolute value, for scaling without rounding.
fn magnitude(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    // A subnormal number is scaled up from the least normal power.
    f64::from_bits(largest.to_bits() & 0x7ff0_0000_0000_0000).max(f64::MIN_POSITIVE)
}

impl Normalize {
    fn length(self, values: impl Iterator<Item = f64>) -> f64 {
        match self {
            Self::L1 => values.fold(0.0, |sum, value| sum + value.abs()),
            Self::L2 => values.fold(0.0, |sum, value| sum + value * value).sqrt(),
        }
    }

    /// Gives the normalised values, each with its place.
    fn write(self, values: &[f64], mut each: impl FnMut(usize, f64)) {
        let length = self.length(values.iter().copied());
        // Within these bounds no square is lost to overflow or underflow.
        let plain = (1e-140..1e150).contains(&length) || values.iter().any(|value| !value.is_finite());
        let (scale, length) = match plain {
            true => (1.0, length),
            false => {
                let scale = magnitude(values);
                (scale, self.length(values.iter().map(|value| value / scale)))
            }
        };
        let length = if length == 0.0 { 1.0 } else { length };
        values.iter().enumerate().for_each(|(place, value)| each(place, value / scale / length));
    }
}

impl Kernel for Normalize {
    fn spec(&self) -> &'static Spec {
        match self {
            Self::L1 => &L1,
            Self::L2 => &L2,
        }
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let function = self.spec().name;
        Ok(vec![match vector_argument(function, "vector", &types[0])? {
            DataType::Float64 if types[0] == DataType::Null => list_of(DataType::Float64),
            DataType::Float64 => {
                return plan_err!(
                    "vector of {function} must be a sparse vector or a list of numbers: it is of type {}",
                    types[0]
                );
            }
            known => known,
        }])
    }

    fn result(&self, fields: &[FieldRef], _constants: &Constants) -> Result<FieldRef> {
        let data_type = match fields[0].data_type() {
            DataType::Struct(_) => sparse_type(),
            _ => list_of(DataType::Float64),
        };
        Ok(vector_field(self.spec().name, data_type, dimension::of_field(&fields[0])))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, _constants: &Constants) -> Result<ArrayRef> {
        let vectors = Vectors::of(&arguments[0], rows, None, format!("vector of {}", self.spec().name))?;
        if vectors.is_dense() {
            let mut lists = DenseBuilder::default();
            for row in 0..rows {
                match vectors.row(row)? {
                    Some(Row::Dense(values)) => {
                        let list = lists.row(values.len())?;
                        self.write(values, |place, value| list[place] = value);
                    }
                    _ => lists.null_row(),
                }
            }
            return lists.finish();
        }
        let mut sparse = SparseBuilder::default();
        for row in 0..rows {
            match vectors.row(row)? {
                Some(Row::Sparse(indices, values)) => {
                    self.write(values, |place, value| sparse.add(indices[place], value));
                    sparse.end_row();
                }
                _ => sparse.null_row(),
            }
        }
        Ok(Arc::new(sparse.finish()?))
    }
}

#[cfg(test)]
mod tests;
