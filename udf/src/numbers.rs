//! What the numeric functions share: the types of their arguments, and which end of an interval belongs to it.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::{Result, plan_err};

use crate::spec::Spec;

/// Which end of a bin belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// `[a, b)`, as in Spark, scikit-learn and optbinning.
    Left,
    /// `(a, b]`, as in feature-engine, Hivemall and Alink.
    Right,
}

impl Closed {
    /// The names in SQL.
    pub(crate) const NAMES: [(&'static str, Self); 2] = [("left", Self::Left), ("right", Self::Right)];
}

/// The type that a numeric argument is cast to: `Float64`. Numbers, booleans, dates and times (their ticks) are taken.
pub(crate) fn number_argument(spec: &Spec, parameter: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Dictionary(_, value) => number_argument(spec, parameter, value),
        DataType::Boolean | DataType::Null => Ok(DataType::Float64),
        // A date or a time stays what it is, and the kernel casts its ticks.
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _) | DataType::Duration(_) => {
            Ok(data_type.clone())
        }
        data_type if data_type.is_numeric() => Ok(DataType::Float64),
        other => plan_err!("{parameter} of {} must be a number: it is of type {other}", spec.name),
    }
}

/// The numbers of an argument that [`number_argument`] has coerced, as `Float64`: dates and times are their ticks.
pub(crate) fn float_values(values: &ArrayRef) -> Result<Float64Array> {
    let ticks = match values.data_type() {
        DataType::Date32 => Some(cast(values, &DataType::Int32)?),
        DataType::Date64 | DataType::Timestamp(_, _) | DataType::Duration(_) => Some(cast(values, &DataType::Int64)?),
        _ => None,
    };
    let floats = cast(ticks.as_ref().unwrap_or(values), &DataType::Float64)?;
    Ok(floats.as_primitive::<Float64Type>().clone())
}

/// How many values [`for_each_block`] gives at most.
pub(crate) const BLOCK: usize = 256;
const WORD: usize = 64;

/// Gives the values of an array in blocks, with NaN for the nulls.
pub(crate) fn for_each_block(values: &Float64Array, mut each: impl FnMut(&[f64])) {
    let blocks = values.values().chunks(BLOCK);
    let Some(nulls) = values.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return blocks.for_each(each);
    };
    let mut words = nulls.inner().bit_chunks().iter_padded();
    let mut known = [0.0; BLOCK];
    for block in blocks {
        for (known, values) in known.chunks_mut(WORD).zip(block.chunks(WORD)) {
            let valid = words.next().unwrap_or(0);
            for (place, (known, value)) in known.iter_mut().zip(values).enumerate() {
                // All bits set are a NaN.
                let null = (valid >> place & 1).wrapping_sub(1);
                *known = f64::from_bits(value.to_bits() | null);
            }
        }
        each(&known[..block.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn blocks_are_the_values_with_nan_for_nulls(
            values in prop::collection::vec(prop::option::weighted(0.7, -9i32..9), 0..700), start in 0..70_usize,
        ) {
            let start = start.min(values.len());
            let array = Float64Array::from_iter(values.iter().map(|value| value.map(f64::from)));
            let array = array.slice(start, values.len() - start);
            let mut found = Vec::new();
            for_each_block(&array, |block| found.extend_from_slice(block));
            let found: Vec<Option<i32>> =
                found.into_iter().map(|value| (!value.is_nan()).then_some(value as i32)).collect();
            prop_assert_eq!(&found, &values[start..]);
        }
    }
}
