//! The number of the bin of a value, for bins between edges with bins of their own for special codes and for missing
//! values: edges first, then one number a code, then one for null and NaN.

use arrow::array::{Array, Float64Array};
use datafusion_common::Result;

use crate::constants::Constants;
use crate::numbers::Closed;

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
    edges: Vec<f64>,
    closed: Closed,
    special: Vec<f64>,
    cells: Option<Cells>,
}

/// Edges up to this many are all compared with every value, which vectorises; more are looked up by [`Cells`].
const COMPARED: usize = 32;
/// How many values are compared with one edge after the other.
const BLOCK: usize = 512;
/// Edges of one cell up to this many are compared one by one.
const CROWDED: usize = 8;

/// Cells of equal width over the range of many edges, and the first edge in each. A value need only be compared with
/// the edges of its own cell, since rounding keeps the order of cells.
#[derive(Debug, Clone, PartialEq)]
struct Cells {
    low: f64,
    per_unit: f64,
    starts: Vec<u32>,
}

impl Cells {
    fn new(edges: &[f64]) -> Self {
        let count = 4 * edges.len();
        let finite = || edges.iter().copied().filter(|edge| edge.is_finite());
        let (low, high) = (finite().next().unwrap_or(0.0), finite().next_back().unwrap_or(0.0));
        let per_unit = if high > low { (count - 1) as f64 / (high - low) } else { 0.0 };
        let mut cells = Self { low, per_unit, starts: vec![0; count + 1] };
        let starts = (0..=count).map(|cell| edges.partition_point(|edge| cells.cell(*edge) < cell) as u32).collect();
        cells.starts = starts;
        cells
    }

    fn cell(&self, value: f64) -> usize {
        (((value - self.low) * self.per_unit) as usize).min(self.starts.len() - 2)
    }

    /// How many edges are below a value.
    fn search(&self, edges: &[f64], value: f64, below: impl Fn(f64, f64) -> bool) -> u32 {
        let cell = self.cell(value);
        let start = self.starts[cell];
        let here = &edges[start as usize..self.starts[cell + 1] as usize];
        if here.len() > CROWDED {
            return start + here.partition_point(|edge| below(*edge, value)) as u32;
        }
        start + here.iter().map(|edge| u32::from(below(*edge, value))).sum::<u32>()
    }
}

impl BinNumbers {
    /// Bins between `edges`, which ascend; `special` are distinct codes. No NaN among either.
    pub(crate) fn new(edges: &[f64], closed: Closed, special: &[f64]) -> Self {
        let cells = (edges.len() > COMPARED).then(|| Cells::new(edges));
        Self { edges: edges.to_vec(), closed, special: special.to_vec(), cells }
    }

    /// How many bins there are between the edges.
    pub(crate) fn regular(&self) -> usize {
        self.edges.len() + 1
    }

    /// How many bins there are in all.
    pub(crate) fn len(&self) -> usize {
        self.regular() + self.special.len() + 1
    }

    /// The number of the bin of null and NaN.
    pub(crate) fn missing(&self) -> u32 {
        (self.len() - 1) as u32
    }

    /// How many edges are below each value, which NaN may also be.
    fn count_below(&self, values: &[f64], numbers: &mut [u32], below: impl Fn(f64, f64) -> bool) {
        match &self.cells {
            Some(cells) => {
                for (number, value) in numbers.iter_mut().zip(values) {
                    *number = cells.search(&self.edges, *value, &below);
                }
            }
            None => {
                numbers.fill(0);
                for edge in &self.edges {
                    for (number, value) in numbers.iter_mut().zip(values) {
                        *number += u32::from(below(*edge, *value));
                    }
                }
            }
        }
    }

    /// The numbers of the bins of a block of values, none of them null.
    fn of_block(&self, values: &[f64], numbers: &mut [u32]) {
        match self.closed {
            Closed::Left => self.count_below(values, numbers, |edge, value| edge <= value),
            Closed::Right => self.count_below(values, numbers, |edge, value| edge < value),
        }
        for (place, code) in self.special.iter().enumerate() {
            let special = (self.regular() + place) as u32;
            for (number, value) in numbers.iter_mut().zip(values) {
                *number = if value == code { special } else { *number };
            }
        }
        let missing = self.missing();
        for (number, value) in numbers.iter_mut().zip(values) {
            *number = if value.is_nan() { missing } else { *number };
        }
    }

    /// What `of_bins` has for the bin of each value, one element a bin.
    pub(crate) fn map<T: Copy>(&self, values: &Float64Array, of_bins: &[T]) -> Vec<T> {
        let mut numbers = [0; BLOCK];
        let mut mapped = Vec::with_capacity(values.len());
        for block in values.values().chunks(BLOCK) {
            let numbers = &mut numbers[..block.len()];
            self.of_block(block, numbers);
            mapped.extend(numbers.iter().map(|number| of_bins[*number as usize]));
        }
        if let Some(nulls) = values.nulls().filter(|nulls| nulls.null_count() > 0) {
            let missing = of_bins[self.missing() as usize];
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
        self.map(values, &(0..self.len() as u32).collect::<Vec<_>>())
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
    fn an_edge_that_comes_twice_counts_twice() {
        for count in 0..80_usize {
            let edges: Vec<f64> = (0..count).map(|index| (index / 2) as f64).collect();
            let values = vec![-1.0, 0.0, 0.5, 1.0, 7.0, 7.5, 100.0, f64::INFINITY, f64::NEG_INFINITY];
            for (closed, reaches) in [
                (Closed::Left, (|edge, value| edge <= value) as fn(f64, f64) -> bool),
                (Closed::Right, |edge, value| edge < value),
            ] {
                let counted = |value: &f64| edges.iter().filter(|edge| reaches(**edge, *value)).count() as u32;
                let found = BinNumbers::new(&edges, closed, &[]).numbers(&Float64Array::from(values.clone()));
                assert_eq!(found, values.iter().map(counted).collect::<Vec<_>>());
            }
        }
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
            mut edges in prop::collection::vec(-60i32..60, 0..120),
            values in prop::collection::vec(prop::option::of(-130i32..130), 0..60),
            right: bool, crowded: bool, infinite: bool,
        ) {
            edges.sort_unstable();
            edges.dedup();
            let mut edges: Vec<f64> = edges.into_iter().map(f64::from).collect();
            if crowded {
                edges.extend([1e9, 1e300]);
            }
            if infinite {
                edges.insert(0, f64::NEG_INFINITY);
                edges.push(f64::INFINITY);
            }
            let values: Float64Array = values.into_iter().map(|value| value.map(|value| f64::from(value) * 0.5)).collect();
            let closed = if right { Closed::Right } else { Closed::Left };
            let numbers = BinNumbers::new(&edges, closed, &[]).numbers(&values);
            for (number, expected) in numbers.iter().zip(bucketize(&values, &edges, closed).iter()) {
                prop_assert_eq!(i64::from(*number), expected.unwrap_or(edges.len() as i64 + 1));
            }
        }
    }
}
