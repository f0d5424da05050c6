//! The statistics of a category, rounded once from exact sums.

use crate::exact_sum::ExactSum;

/// Count, sum and squared deviations of the target over some rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Summary {
    pub(super) count: i64,
    pub(super) sum: f64,
    /// The sum of `(y - mean)^2`.
    deviation: f64,
}

impl Summary {
    /// Of a target that is 1 in `events` of `count` rows, else 0.
    pub(super) fn of_events(count: i64, events: i64) -> Self {
        let product = i128::from(events) * (i128::from(count) - i128::from(events));
        let deviation = if count == 0 { 0.0 } else { product as f64 / count as f64 };
        Self { count, sum: events as f64, deviation }
    }

    /// Of exact sums of the target and of its squares: `n * squares - sum^2` is rounded once, so that nothing cancels.
    pub(super) fn of_sums(count: i64, sum: &ExactSum, squares: &ExactSum) -> Self {
        let value = sum.value();
        if count == 0 || !value.is_finite() || !squares.value().is_finite() {
            return Self { count, sum: value, deviation: if count == 0 { 0.0 } else { f64::NAN } };
        }
        let (rows, parts) = (count as f64, sum.canonical());
        let mut difference = ExactSum::default();
        for part in squares.canonical() {
            add_product(&mut difference, rows, part);
        }
        for left in &parts {
            for right in &parts {
                add_product(&mut difference, -left, *right);
            }
        }
        Self { count, sum: value, deviation: difference.value().max(0.0) / rows }
    }

    pub(super) fn mean(self) -> f64 {
        self.sum / self.count as f64
    }

    pub(super) fn population_variance(self) -> f64 {
        self.deviation / self.count as f64
    }

    /// With one degree of freedom less; 0 for one row.
    pub(super) fn sample_variance(self) -> f64 {
        if self.count < 2 { 0.0 } else { self.deviation / (self.count - 1) as f64 }
    }
}

/// Adds a product without rounding it: what the rounded product lost is added, too.
pub(super) fn add_product(sum: &mut ExactSum, left: f64, right: f64) {
    let product = left * right;
    sum.add(product);
    sum.add(left.mul_add(right, -product));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_of_numbers_far_from_zero_do_not_cancel() {
        let (mut sum, mut squares) = (ExactSum::default(), ExactSum::default());
        for number in [1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0] {
            sum.add(number);
            add_product(&mut squares, number, number);
        }
        let summary = Summary::of_sums(4, &sum, &squares);
        // Wikipedia, "Algorithms for calculating variance": 22.5 and 30.
        assert_eq!((summary.population_variance(), summary.sample_variance()), (22.5, 30.0));
    }

    #[test]
    fn events_are_the_sums_of_zeros_and_ones() {
        let (mut sum, mut squares) = (ExactSum::default(), ExactSum::default());
        for number in [1.0, 0.0, 1.0, 1.0, 0.0] {
            sum.add(number);
            squares.add(number);
        }
        assert_eq!(Summary::of_events(5, 3), Summary::of_sums(5, &sum, &squares));
    }
}
