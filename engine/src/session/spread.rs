//! How evenly work is spread: over the partitions of an exchange, or over the tasks of a stage.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;

/// Letters of a histogram, from the lowest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One quantity, partition by partition or task by task, in a few numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spread {
    /// How many partitions or tasks there are.
    pub count: u64,
    /// The sum over all of them.
    pub total: u64,
    /// The largest.
    pub max: u64,
    /// The one in the middle; between the two in the middle where their number is even.
    pub median: f64,
    /// At most eight bars, the largest first. Each stands for an eighth of the partitions and is as high as the largest of
    /// these, against the largest of all.
    pub histogram: String,
}

impl Spread {
    /// The spread of these values, in whatever order they come.
    pub fn of(values: &[u64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by_key(|value| Reverse(*value));
        let max = sorted.first().copied().unwrap_or(0);
        let middle = sorted.len() / 2;
        let median = match sorted.len() {
            0 => 0.0,
            even if even % 2 == 0 => (sorted[middle - 1] as f64 + sorted[middle] as f64) / 2.0,
            _ => sorted[middle] as f64,
        };
        let groups = sorted.len().min(BARS.len());
        let histogram = (0..groups).map(|group| bar(sorted[group * sorted.len() / groups], max)).collect();
        Self { count: sorted.len() as u64, total: sorted.iter().sum(), max, median, histogram }
    }

    /// The sum over the number; 0 where there is nothing.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.total as f64 / self.count as f64 }
    }

    /// How many times the mean the largest is: 1 where all are alike, and at most [`Self::count`].
    pub fn max_to_mean(&self) -> f64 {
        ratio(self.max, self.mean())
    }

    /// How many times the median the largest is: 1 where all are alike, and infinite where more than half are empty.
    pub fn max_to_median(&self) -> f64 {
        ratio(self.max, self.median)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { total, max, histogram, .. } = self;
        let (mean, median) = (self.max_to_mean(), self.max_to_median());
        write!(f, "total {total}, max {max}, max/mean {mean:.2}, max/median {median:.2} {histogram}")
    }
}

/// The time until the last of some tasks ends, when each of `slots` takes the longest task that is left as soon as it is
/// free (Graham's longest processing time first). At most 4/3 of the shortest possible, and never less than the longest
/// task or the sum over the slots.
pub fn makespan(times: &[u64], slots: usize) -> u64 {
    let mut longest_first = times.to_vec();
    longest_first.sort_unstable_by_key(|time| Reverse(*time));
    let mut busy_until: BinaryHeap<Reverse<u64>> =
        (0..slots.clamp(1, times.len().max(1))).map(|_| Reverse(0)).collect();
    let mut last = 0;
    for time in longest_first {
        let Reverse(free_at) = busy_until.pop().unwrap_or(Reverse(0));
        last = last.max(free_at + time);
        busy_until.push(Reverse(free_at + time));
    }
    last
}

fn bar(value: u64, max: u64) -> char {
    let top = (BARS.len() - 1) as f64;
    BARS[(ratio(value, max as f64).min(1.0) * top).round() as usize]
}

/// 1 for nothing out of nothing.
fn ratio(value: u64, of: f64) -> f64 {
    if value == 0 && of == 0.0 { 1.0 } else { value as f64 / of }
}

#[cfg(test)]
mod tests {
    use super::{Spread, makespan};

    #[test]
    fn alike_partitions_have_ratios_of_one() {
        let spread = Spread::of(&[5, 5, 5, 5]);
        assert_eq!((spread.count, spread.total, spread.max, spread.median), (4, 20, 5, 5.0));
        assert_eq!((spread.max_to_mean(), spread.max_to_median()), (1.0, 1.0));
        assert_eq!(spread.histogram, "████");
    }

    #[test]
    fn a_hot_partition_stands_out() {
        let spread = Spread::of(&[10, 10, 900, 10, 20, 10, 10, 30]);
        assert_eq!((spread.total, spread.max, spread.median), (1000, 900, 10.0));
        assert_eq!(spread.max_to_mean(), 7.2);
        assert_eq!(spread.max_to_median(), 90.0);
        assert_eq!(spread.histogram, "█▁▁▁▁▁▁▁");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        assert_eq!(Spread::of(&[1, 2, 5, 100]).median, 3.5);
        assert_eq!(Spread::of(&[1, 2, 100]).median, 2.0);
    }

    #[test]
    fn sixteen_partitions_share_eight_bars() {
        let values: Vec<u64> = (1..=16).collect();
        // The eighths begin at 16, 14, 12, ... of 16.
        assert_eq!(Spread::of(&values).histogram, "█▇▆▅▅▄▃▂");
    }

    #[test]
    fn one_partition_and_none_have_no_skew() {
        let one = Spread::of(&[7]);
        assert_eq!((one.max_to_mean(), one.max_to_median(), one.histogram.as_str()), (1.0, 1.0, "█"));
        let none = Spread::of(&[]);
        assert_eq!((none.count, none.mean(), none.median, none.histogram.as_str()), (0, 0.0, 0.0, ""));
        assert_eq!((none.max_to_mean(), none.max_to_median()), (1.0, 1.0));
    }

    #[test]
    fn empty_partitions_count() {
        let spread = Spread::of(&[0, 8, 0, 0]);
        assert_eq!(spread.max_to_mean(), 4.0);
        assert!(spread.max_to_median().is_infinite());
        assert_eq!(Spread::of(&[0, 0]).max_to_mean(), 1.0);
        assert_eq!(spread.to_string(), "total 8, max 8, max/mean 4.00, max/median inf █▁▁▁");
    }

    #[test]
    fn longest_tasks_first() {
        assert_eq!(makespan(&[], 4), 0);
        assert_eq!(makespan(&[3, 9, 2], 0), 14);
        assert_eq!(makespan(&[3, 9, 2], 1), 14);
        assert_eq!(makespan(&[3, 9, 2], 2), 9);
        assert_eq!(makespan(&[3, 9, 2], 100), 9);
        // Graham's example: 11 where 9 is possible.
        assert_eq!(makespan(&[5, 5, 4, 4, 3, 3, 3], 3), 11);
    }
}
