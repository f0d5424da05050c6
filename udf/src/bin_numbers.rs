//! The number of the bin of a value, for bins between edges with bins of their own for special codes and for missing
//! values: edges first, then one number a code, then one for null and NaN.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::Result;

use crate::constants::Constants;
use crate::numbers::Closed;

/// The numbers of a batch as `Float64`: dates and times are their ticks.
pub(crate) fn float_values(values: &ArrayRef) -> Result<Float64Array> {
    let ticks = match values.data_type() {
        DataType::Date32 => Some(cast(values, &DataType::Int32)?),
        DataType::Date64 | DataType::Timestamp(_, _) | DataType::Duration(_) => Some(cast(values, &DataType::Int64)?),
        _ => None,
    };
    let floats = cast(ticks.as_ref().unwrap_or(values), &DataType::Float64)?;
    Ok(floats.as_primitive::<Float64Type>().clone())
}

/// A constant list of edges, which must ascend strictly.
pub(crate) fn edges_option(constants: &Constants, parameter: &str) -> Result<Option<Vec<f64>>> {
    let Some(edges) = constants.floats(parameter)? else { return Ok(None) };
    match edges.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => Err(constants.error(parameter, format!("must ascend strictly: {} follows {}", pair[1], pair[0]))),
        None => Ok(Some(edges)),
    }
}

/// A constant list of special codes, which must be distinct.
pub(crate) fn special_option(constants: &Constants) -> Result<Vec<f64>> {
    let mut codes = constants.floats("special")?.unwrap_or_default();
    // -0.0 and 0.0 are one code.
    codes.iter_mut().for_each(|code| *code += 0.0);
    for (place, code) in codes.iter().enumerate() {
        if codes[..place].contains(code) {
            return Err(constants.error("special", format!("must be distinct codes: {code} comes twice")));
        }
    }
    Ok(codes)
}

/// Numbers the bins of values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BinNumbers {
    /// The edges, filled up with NaN to one less than a power of two, for a search without branches.
    padded: Vec<f64>,
    edges: usize,
    closed: Closed,
    special: Vec<f64>,
}

impl BinNumbers {
    /// Bins between `edges`, which ascend strictly; `special` are distinct codes. No NaN among either.
    pub(crate) fn new(edges: &[f64], closed: Closed, special: &[f64]) -> Self {
        let mut padded = edges.to_vec();
        padded.resize((edges.len() + 1).next_power_of_two() - 1, f64::NAN);
        Self { padded, edges: edges.len(), closed, special: special.to_vec() }
    }

    /// How many bins there are between the edges.
    pub(crate) fn regular(&self) -> usize {
        self.edges + 1
    }

    /// How many bins there are in all.
    pub(crate) fn len(&self) -> usize {
        self.regular() + self.special.len() + 1
    }

    /// The number of the bin of null and NaN.
    pub(crate) fn missing(&self) -> u32 {
        (self.len() - 1) as u32
    }

    /// The number of the bin of one value that is neither special nor missing.
    fn search(&self, value: f64, below: impl Fn(f64, f64) -> bool) -> usize {
        let mut place = 0;
        let mut half = self.padded.len().div_ceil(2);
        while half > 0 {
            // A comparison with the NaN of the padding is false.
            place += half * usize::from(below(self.padded[place + half - 1], value));
            half /= 2;
        }
        place
    }

    /// What `of` gives for the numbers of the bins of `values`.
    pub(crate) fn map<T: Copy>(&self, values: &Float64Array, of: impl Fn(u32) -> T) -> Vec<T> {
        let missing = of(self.missing());
        let table: Vec<T> = (0..self.regular() as u32).map(&of).collect();
        let regular = |value: f64| match value.is_nan() {
            true => missing,
            false => {
                table[match self.closed {
                    Closed::Left => self.search(value, |edge, value| edge <= value),
                    Closed::Right => self.search(value, |edge, value| edge < value),
                }]
            }
        };
        let mut mapped: Vec<T> = values.values().iter().map(|value| regular(*value)).collect();
        for (place, code) in self.special.iter().enumerate() {
            let special = of((self.regular() + place) as u32);
            for (mapped, value) in mapped.iter_mut().zip(values.values()) {
                if value == code {
                    *mapped = special;
                }
            }
        }
        if let Some(nulls) = values.nulls().filter(|nulls| nulls.null_count() > 0) {
            for (mapped, valid) in mapped.iter_mut().zip(nulls.iter()) {
                if !valid {
                    *mapped = missing;
                }
            }
        }
        mapped
    }

    /// The numbers of the bins of `values`.
    pub(crate) fn numbers(&self, values: &Float64Array) -> Vec<u32> {
        self.map(values, |number| number)
    }
}

/// The interval of a bin as text, its ends printed by `number`.
pub(crate) fn interval(edges: &[f64], bin: usize, closed: Closed, number: impl Fn(f64) -> String) -> String {
    let low = if bin == 0 { f64::NEG_INFINITY } else { edges[bin - 1] };
    let high = edges.get(bin).copied().unwrap_or(f64::INFINITY);
    let open = if closed == Closed::Left && low.is_finite() { '[' } else { '(' };
    let close = if closed == Closed::Right && high.is_finite() { ']' } else { ')' };
    format!("{open}{}, {}{close}", number(low), number(high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucketize::bucketize;
    use proptest::prelude::*;

    #[test]
    fn special_codes_and_missing_values_have_their_own_numbers() {
        let bins = BinNumbers::new(&[0.0, 10.0], Closed::Left, &[-1.0, 5.0]);
        let values = vec![Some(-2.0), Some(-1.0), Some(-0.0), Some(5.0), Some(10.0), Some(f64::NAN), None];
        assert_eq!(bins.numbers(&Float64Array::from(values)), [0, 3, 1, 4, 2, 5, 5]);
    }

    #[test]
    fn an_interval_shows_which_end_belongs_to_it() {
        let text = |closed, bin| interval(&[1.0, 2.5], bin, closed, |number| number.to_string());
        assert_eq!([0, 1, 2].map(|bin| text(Closed::Left, bin)), ["(-inf, 1)", "[1, 2.5)", "[2.5, inf)"]);
        assert_eq!([0, 1, 2].map(|bin| text(Closed::Right, bin)), ["(-inf, 1]", "(1, 2.5]", "(2.5, inf)"]);
    }

    proptest! {
        #[test]
        fn the_numbers_are_those_of_bucketize(
            mut edges in prop::collection::vec(-20i32..20, 0..40),
            values in prop::collection::vec(prop::option::of(-21i32..21), 0..60),
            right: bool,
        ) {
            edges.sort_unstable();
            edges.dedup();
            let edges: Vec<f64> = edges.into_iter().map(f64::from).collect();
            let values: Float64Array = values.into_iter().map(|value| value.map(|value| f64::from(value) * 0.5)).collect();
            let closed = if right { Closed::Right } else { Closed::Left };
            let numbers = BinNumbers::new(&edges, closed, &[]).numbers(&values);
            for (number, expected) in numbers.iter().zip(bucketize(&values, &edges, closed).iter()) {
                prop_assert_eq!(i64::from(*number), expected.unwrap_or(edges.len() as i64 + 1));
            }
        }
    }
}
