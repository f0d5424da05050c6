//! The best way to merge neighbouring pre-bins, by dynamic programming.
//!
//! The best bins that end with `start..=end` and number `count` are the best `count - 1` bins that end just before
//! `start` in a way that the trend allows, and `start..=end`. So `best[count][start][end][phase]` over at most 100
//! pre-bins finds what optbinning 1.0 asks a constraint solver for. The phase says whether a peak or a valley has been
//! passed.

use crate::class_counts::ClassCounts;
use crate::optimal::options::Trend;

/// What bins must satisfy.
#[derive(Debug, Clone)]
pub(crate) struct Constraints {
    pub(crate) trend: Trend,
    pub(crate) min_bins: usize,
    pub(crate) max_bins: usize,
    /// Rows in a bin.
    pub(crate) min_size: u64,
    pub(crate) min_events: u64,
    pub(crate) min_nonevents: u64,
    pub(crate) min_rate_difference: f64,
    /// The least |z| between the event rates of neighbours.
    pub(crate) min_z: Option<f64>,
}

/// Information value in whole millionths, cut off bin by bin as optbinning does, and then in whole trillionths, which
/// decide between bins that optbinning's solver holds for equal. Whole numbers add up without rounding, so the best is
/// the best in whatever order bins are added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Information {
    millionths: i64,
    trillionths: i64,
}

impl Information {
    /// Jeffrey's divergence of one bin.
    fn of(counts: &ClassCounts, total: &ClassCounts) -> Self {
        let events = counts.events as f64 / total.events as f64;
        let non_events = counts.non_events as f64 / total.non_events as f64;
        let value = (events - non_events) * (events / non_events).ln();
        Self { millionths: (value * 1e6) as i64, trillionths: (value * 1e12) as i64 }
    }

    fn plus(self, other: Self) -> Self {
        Self { millionths: self.millionths + other.millionths, trillionths: self.trillionths + other.trillionths }
    }
}

/// The best bins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Solution {
    pub(crate) value: Information,
    /// The pre-bin that each bin but the first starts with.
    pub(crate) cuts: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Bin {
    counts: ClassCounts,
    value: Information,
}

/// A best way to end with a certain bin, and where it came from.
#[derive(Debug, Clone, Copy)]
struct Step {
    value: Information,
    /// The start of the bin before, and its phase.
    before: (usize, usize),
}

struct Problem<'a> {
    constraints: &'a Constraints,
    prebins: usize,
    /// The bin `start..=end` at `start * prebins + end`, if it is allowed by itself.
    bins: Vec<Option<Bin>>,
}

/// The best bins of neighbouring pre-bins: the most information value, then the fewest bins. `None` if no bins satisfy
/// the constraints.
pub(crate) fn best_bins(prebins: &[ClassCounts], constraints: &Constraints) -> Option<Solution> {
    if constraints.trend != Trend::Auto {
        return Problem::new(prebins, constraints).solve();
    }
    // A peak or a valley may also be one-sided; the simpler shape is tried first and wins a tie.
    let mut best: Option<Solution> = None;
    for trend in [Trend::Ascending, Trend::Descending, Trend::Peak, Trend::Valley] {
        let found = Problem::new(prebins, &Constraints { trend, ..constraints.clone() }).solve();
        if let Some(found) = found
            && best.as_ref().is_none_or(|best| found.value > best.value)
        {
            best = Some(found);
        }
    }
    best
}

impl<'a> Problem<'a> {
    fn new(prebins: &[ClassCounts], constraints: &'a Constraints) -> Self {
        let total = ClassCounts::sum(prebins);
        let size = prebins.len();
        let mut bins = vec![None; size * size];
        for start in 0..size {
            let mut counts = ClassCounts::default();
            for (end, prebin) in prebins.iter().enumerate().skip(start) {
                counts.merge(prebin);
                let allowed = counts.is_mixed()
                    && counts.total() >= constraints.min_size
                    && counts.events >= constraints.min_events
                    && counts.non_events >= constraints.min_nonevents;
                if allowed {
                    bins[start * size + end] = Some(Bin { counts, value: Information::of(&counts, &total) });
                }
            }
        }
        Self { constraints, prebins: size, bins }
    }

    fn bin(&self, start: usize, end: usize) -> Option<&Bin> {
        self.bins[start * self.prebins + end].as_ref()
    }

    /// Whether the bin `next` may follow `bin`, the phases being theirs.
    fn may_follow(&self, bin: &Bin, next: &Bin, phase: usize, next_phase: usize) -> bool {
        let order = compare_rates(&bin.counts, &next.counts);
        let trend = match (self.constraints.trend, phase, next_phase) {
            (Trend::None | Trend::Auto, 0, 0) => true,
            (Trend::Ascending | Trend::Peak, 0, 0) | (Trend::Valley, 1, 1) => order.is_le(),
            (Trend::Descending | Trend::Valley, 0, 0) | (Trend::Peak, 1, 1) => order.is_ge(),
            // The turn itself may go either way: the bins on each side of it are in order.
            (Trend::Peak | Trend::Valley, 0, 1) => true,
            _ => false,
        };
        trend && self.differ_enough(&bin.counts, &next.counts)
    }

    fn differ_enough(&self, left: &ClassCounts, right: &ClassCounts) -> bool {
        let least = self.constraints.min_rate_difference;
        // Both sides in millionths, as optbinning compares them: 0.3 - 0.2 is not less than 0.1.
        if least > 0.0 && millionths(left).abs_diff(millionths(right)) < (least * 1e6) as u64 {
            return false;
        }
        match self.constraints.min_z {
            None => true,
            Some(least) => z_statistic(left, right).abs() >= least,
        }
    }

    fn place(&self, start: usize, end: usize, phase: usize) -> usize {
        (start * self.prebins + end) * 2 + phase
    }

    fn solve(&self) -> Option<Solution> {
        let last = self.prebins.checked_sub(1)?;
        let mut layers: Vec<Vec<Option<Step>>> = vec![self.first_layer()];
        let mut best: Option<(Information, usize, usize, usize)> = None;
        for count in 1..=self.constraints.max_bins.min(self.prebins) {
            if count > 1 {
                let layer = self.next_layer(&layers[count - 2]);
                layers.push(layer);
            }
            if count < self.constraints.min_bins {
                continue;
            }
            for start in 0..self.prebins {
                for phase in 0..2 {
                    if let Some(step) = layers[count - 1][self.place(start, last, phase)]
                        && best.is_none_or(|best| step.value > best.0)
                    {
                        best = Some((step.value, count, start, phase));
                    }
                }
            }
        }
        let (value, count, start, phase) = best?;
        Some(Solution { value, cuts: self.cuts(&layers, count, start, phase) })
    }

    fn first_layer(&self) -> Vec<Option<Step>> {
        let mut layer = vec![None; self.prebins * self.prebins * 2];
        for end in 0..self.prebins {
            if let Some(bin) = self.bin(0, end) {
                layer[self.place(0, end, 0)] = Some(Step { value: bin.value, before: (0, 0) });
            }
        }
        layer
    }

    fn next_layer(&self, before: &[Option<Step>]) -> Vec<Option<Step>> {
        let phases = if matches!(self.constraints.trend, Trend::Peak | Trend::Valley) { 2 } else { 1 };
        let mut layer = vec![None; before.len()];
        for start in 1..self.prebins {
            for end in start..self.prebins {
                let Some(next) = self.bin(start, end) else { continue };
                for next_phase in 0..phases {
                    let mut best: Option<Step> = None;
                    for earlier in 0..start {
                        let Some(bin) = self.bin(earlier, start - 1) else { continue };
                        for phase in 0..=next_phase {
                            let Some(step) = before[self.place(earlier, start - 1, phase)] else { continue };
                            let value = step.value.plus(next.value);
                            if best.is_none_or(|best| value > best.value)
                                && self.may_follow(bin, next, phase, next_phase)
                            {
                                best = Some(Step { value, before: (earlier, phase) });
                            }
                        }
                    }
                    layer[self.place(start, end, next_phase)] = best;
                }
            }
        }
        layer
    }

    fn cuts(&self, layers: &[Vec<Option<Step>>], count: usize, start: usize, phase: usize) -> Vec<usize> {
        let mut cuts = Vec::new();
        let (mut start, mut end, mut phase) = (start, self.prebins - 1, phase);
        for layer in layers[..count].iter().rev() {
            let Some(step) = layer[self.place(start, end, phase)] else { break };
            if start == 0 {
                break;
            }
            cuts.push(start);
            end = start - 1;
            (start, phase) = step.before;
        }
        cuts.reverse();
        cuts
    }
}

/// Compares event rates exactly.
pub(crate) fn compare_rates(left: &ClassCounts, right: &ClassCounts) -> std::cmp::Ordering {
    let cross = |one: &ClassCounts, other: &ClassCounts| u128::from(one.events) * u128::from(other.total());
    cross(left, right).cmp(&cross(right, left))
}

/// An event rate in millionths, cut off.
fn millionths(counts: &ClassCounts) -> u64 {
    (u128::from(counts.events) * 1_000_000 / u128::from(counts.total().max(1))) as u64
}

/// The statistic of the two-proportion Z test with a pooled rate.
fn z_statistic(left: &ClassCounts, right: &ClassCounts) -> f64 {
    let (left_total, right_total) = (left.total() as f64, right.total() as f64);
    let pooled = (left.events as f64 + right.events as f64) / (left_total + right_total);
    let error = (pooled * (1.0 - pooled) * (1.0 / left_total + 1.0 / right_total)).sqrt();
    (left.events as f64 / left_total - right.events as f64 / right_total) / error
}

#[cfg(test)]
mod tests;
