//! The mean and the variance of a column from sums without rounding: the only roundings are those of the last
//! quotients, so that neither a large mean nor the order of the rows costs a digit.

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use std::sync::Arc;

use crate::constants::Constants;
use crate::exact_sum::{BLOCK, ExactSum, add_block};
use crate::numbers::for_each_block;
use crate::state::{StateReader, list_of, one_list};
use crate::summary::{Columns, Statistic, count};

/// The sums of the values and of their squares.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Moments {
    rows: u64,
    missing: u64,
    sum: ExactSum,
    squares: ExactSum,
}

/// Whether a number can be summed: no count of such numbers that there can be has a sum beyond the greatest number, and
/// so no order of adding them can overflow.
pub(crate) fn is_moderate(number: f64) -> bool {
    number.abs() <= 1e290
}

/// Numbers up to this can be split in two halves, and their product is finite.
const SAFE: f64 = 1e140;

/// The product of two numbers without rounding, as the rounded product and the rest (Dekker, 1971); the rest is only
/// exact where it does not fall below the smallest numbers.
fn product(left: f64, right: f64) -> (f64, f64) {
    if left.abs() <= SAFE && right.abs() <= SAFE {
        return safe_product(left, right);
    }
    let high = left * right;
    (high, if high.is_finite() { left.mul_add(right, -high) } else { 0.0 })
}

/// [`product`] of numbers up to [`SAFE`].
#[inline]
fn safe_product(left: f64, right: f64) -> (f64, f64) {
    const SPLIT: f64 = 134_217_729.0; // 2^27 + 1
    let halves = |number: f64| {
        let upper = SPLIT * number - (SPLIT * number - number);
        (upper, number - upper)
    };
    let (high, (a, b), (c, d)) = (left * right, halves(left), halves(right));
    (high, ((a * c - high) + a * d + b * c) + b * d)
}

fn add_product(sum: &mut ExactSum, left: f64, right: f64) {
    let (high, low) = product(left, right);
    sum.add(high);
    sum.add(low);
}

/// A sum over a product of two numbers, rounded to nearest but for ties that only far digits decide.
fn quotient(numerator: &ExactSum, left: f64, right: f64) -> f64 {
    let (high, low) = product(left, right);
    let first = numerator.value() / high;
    if !first.is_finite() {
        return first;
    }
    let mut rest = numerator.clone();
    add_product(&mut rest, -first, high);
    add_product(&mut rest, -first, low);
    let correction = rest.value() / high;
    if correction.is_finite() { first + correction } else { first }
}

/// A sum as a column of one list, in its canonical form.
pub(crate) fn sum_column(sum: &ExactSum) -> ArrayRef {
    one_list(Arc::new(Float64Array::from(sum.canonical())))
}

/// The mean of a sum.
pub(crate) fn mean(sum: &ExactSum, rows: u64) -> Option<f64> {
    (rows > 0).then(|| quotient(sum, rows as f64, 1.0))
}

impl Moments {
    /// The mean; `None` if there are no rows.
    pub(crate) fn mean(&self) -> Option<f64> {
        mean(&self.sum, self.rows)
    }

    /// The variance with the divisor `rows - ddof`, which must be above zero: `(n Σx² - (Σx)²) / (n (n - ddof))`.
    pub(crate) fn variance(&self, ddof: u64) -> Option<f64> {
        if self.rows <= ddof {
            return None;
        }
        if !self.squares.value().is_finite() {
            return Some(f64::INFINITY);
        }
        let rows = self.rows as f64;
        let mut numerator = ExactSum::default();
        self.squares.canonical().iter().for_each(|part| add_product(&mut numerator, rows, *part));
        let parts = self.sum.canonical();
        for left in &parts {
            parts.iter().for_each(|right| add_product(&mut numerator, -left, *right));
        }
        let variance = quotient(&numerator, rows, (self.rows - ddof) as f64);
        Some(if variance.is_nan() { f64::INFINITY } else { variance.max(0.0) })
    }
}

impl Statistic for Moments {
    type Outcome = Moments;

    fn fields() -> Vec<(&'static str, DataType)> {
        vec![
            ("rows", DataType::Int64),
            ("missing", DataType::Int64),
            ("sum", list_of(DataType::Float64)),
            ("squares", list_of(DataType::Float64)),
        ]
    }

    fn new(_constants: &Constants) -> Result<Self> {
        Ok(Self::default())
    }

    fn read(state: &StateReader<'_>) -> Result<Self> {
        let number = |field: &str| -> Result<u64> { Ok(state.integer(field)?.unwrap_or(0).max(0) as u64) };
        let sum = |field: &str| -> Result<ExactSum> {
            Ok(ExactSum::from_canonical(&state.given(field, state.floats(field)?)?))
        };
        Ok(Self { rows: number("rows")?, missing: number("missing")?, sum: sum("sum")?, squares: sum("squares")? })
    }

    fn update(&mut self, values: &Float64Array, _finite: bool) {
        let mut rows = 0;
        for_each_block(values, |block| {
            let (mut numbers, mut highs, mut lows) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
            let (mut count, mut safe) = (0, true);
            for (number, value) in numbers.iter_mut().zip(block) {
                count += u64::from(is_moderate(*value));
                *number = if is_moderate(*value) { *value } else { 0.0 };
                safe &= number.abs() <= SAFE;
            }
            let squares = numbers.iter().zip(highs.iter_mut().zip(&mut lows));
            match safe {
                true => squares.for_each(|(number, (high, low))| (*high, *low) = safe_product(*number, *number)),
                false => squares.for_each(|(number, (high, low))| (*high, *low) = product(*number, *number)),
            }
            rows += count;
            add_block(&mut self.sum, &mut numbers);
            add_block(&mut self.squares, &mut highs);
            add_block(&mut self.squares, &mut lows);
        });
        self.rows += rows;
        self.missing += values.len() as u64 - rows;
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        self.rows = self.rows.saturating_add(other.rows);
        self.missing = self.missing.saturating_add(other.missing);
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
        Ok(())
    }

    fn finish(&mut self) -> Moments {
        self.clone()
    }

    fn columns(&self, _outcome: Option<&Moments>) -> Result<Columns> {
        Ok(vec![
            ("rows", count(self.rows)),
            ("missing", count(self.missing)),
            ("sum", sum_column(&self.sum)),
            ("squares", sum_column(&self.squares)),
        ])
    }

    fn heap_size(&self) -> usize {
        self.sum.heap_size() + self.squares.heap_size()
    }
}
