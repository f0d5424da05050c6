//! A sum of floating-point numbers that does not depend on their order: Shewchuk's expansions ("Adaptive Precision
//! Floating-Point Arithmetic", 1997, Grow-Expansion), as in Python's `math.fsum`.

mod blocks;

pub(crate) use blocks::{BLOCK, add_block};

/// A sum without rounding: a few numbers that do not overlap, whose true sum is that of everything added.
///
/// Infinities and NaN are kept apart, since they cannot be in an expansion.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExactSum {
    parts: Vec<f64>,
    special: f64,
}

impl ExactSum {
    /// Adds one number.
    pub fn add(&mut self, number: f64) {
        if !number.is_finite() {
            self.special += number;
            return;
        }
        let mut carry = number;
        let mut kept = 0;
        for index in 0..self.parts.len() {
            let part = self.parts[index];
            let (large, small) = if carry.abs() < part.abs() { (part, carry) } else { (carry, part) };
            let sum = large + small;
            let rest = small - (sum - large);
            if rest != 0.0 {
                self.parts[kept] = rest;
                kept += 1;
            }
            carry = sum;
        }
        self.parts.truncate(kept);
        if !carry.is_finite() {
            self.special += carry;
        } else if carry != 0.0 {
            self.parts.push(carry);
        }
    }

    /// Adds everything that another sum has.
    pub fn merge(&mut self, other: &ExactSum) {
        self.special += other.special;
        for part in &other.parts {
            self.add(*part);
        }
    }

    /// The sum, rounded once.
    pub fn value(&self) -> f64 {
        if self.special != 0.0 || self.special.is_nan() {
            return self.special;
        }
        self.rounded()
    }

    /// The true sum of the parts, rounded to nearest, ties to even (the last step of `math.fsum`).
    fn rounded(&self) -> f64 {
        let mut parts = self.parts.iter().rev();
        let Some(first) = parts.next() else { return 0.0 };
        let (mut high, mut low) = (*first, 0.0);
        for part in parts.by_ref() {
            let sum = high + part;
            low = part - (sum - high);
            high = sum;
            if low != 0.0 {
                break;
            }
        }
        // Half-way cases: the parts that are left decide which way to round.
        if let Some(next) = parts.next()
            && ((low < 0.0 && *next < 0.0) || (low > 0.0 && *next > 0.0))
        {
            let twice = low * 2.0;
            let sum = high + twice;
            if twice == sum - high {
                high = sum;
            }
        }
        high
    }

    /// The sum as numbers in one canonical form: the largest is the rounded sum, the next the rounded rest, and so on.
    /// Equal sums give equal bytes, however they came about.
    pub fn canonical(&self) -> Vec<f64> {
        if self.special != 0.0 || self.special.is_nan() {
            let special = if self.special.is_nan() { f64::NAN } else { self.special };
            return vec![special];
        }
        let mut rest = self.clone();
        let mut parts = Vec::new();
        loop {
            let rounded = rest.rounded();
            if rounded == 0.0 {
                return parts;
            }
            parts.push(rounded);
            rest.add(-rounded);
        }
    }

    /// The sum whose canonical form is `parts`.
    pub fn from_canonical(parts: &[f64]) -> Self {
        let mut sum = Self::default();
        for part in parts.iter().rev() {
            sum.add(*part);
        }
        sum
    }

    /// Bytes held on the heap.
    pub fn heap_size(&self) -> usize {
        self.parts.capacity() * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_exact_arithmetic_whatever_the_order() {
        let numbers = [1e100, 1.0, -1e100, 1e-30, 3.5, -1e-30, 1e16, 1.0, -1e16];
        let mut forward = ExactSum::default();
        numbers.iter().for_each(|number| forward.add(*number));
        let mut backward = ExactSum::default();
        numbers.iter().rev().for_each(|number| backward.add(*number));
        assert_eq!(forward.value(), 5.5);
        assert_eq!(forward.canonical(), backward.canonical());
    }

    #[test]
    fn merged_sums_have_the_same_canonical_form() {
        let numbers: Vec<f64> =
            (0..1000).map(|index| (index as f64 * 0.1).sin() * 10f64.powi(index % 40 - 20)).collect();
        let mut whole = ExactSum::default();
        numbers.iter().for_each(|number| whole.add(*number));
        let mut merged = ExactSum::default();
        for chunk in numbers.chunks(7).rev() {
            let mut part = ExactSum::default();
            chunk.iter().for_each(|number| part.add(*number));
            merged.merge(&ExactSum::from_canonical(&part.canonical()));
        }
        assert_eq!(whole.canonical(), merged.canonical());
    }

    #[test]
    fn infinities_and_nan_are_what_addition_gives() {
        let mut sum = ExactSum::default();
        sum.add(f64::INFINITY);
        sum.add(1.0);
        assert_eq!(sum.value(), f64::INFINITY);
        sum.add(f64::NEG_INFINITY);
        assert!(sum.value().is_nan());
    }
}
