//! From counted values to optimal bins: pre-bins as optbinning 1.0 makes them, then the best way to merge them.

use crate::class_counts::ClassCounts;
use crate::optimal::dynamic::{Constraints, best_bins};
use crate::optimal::normal::normal_quantile;
use crate::optimal::options::{Options, Prebinning, Trend};
use crate::optimal::tree::tree_splits;

/// Counted values in ascending order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    /// The smallest number that each count is of.
    pub(crate) lows: Vec<f64>,
    /// The largest.
    pub(crate) highs: Vec<f64>,
    pub(crate) counts: Vec<ClassCounts>,
    /// Whether every count is of one number.
    pub(crate) exact: bool,
}

/// Optimal bins: `splits.len() + 1` of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bins {
    /// A value on a split belongs to the bin above it.
    pub(crate) splits: Vec<f64>,
    pub(crate) counts: Vec<ClassCounts>,
    pub(crate) status: &'static str,
}

/// The widest gap between two values that scikit-learn's trees take for equal.
const EQUAL_WITHIN: f32 = 1e-7;

/// The bins of `values`; `rows` are all rows, the special and missing ones too, which shares are taken of.
pub(crate) fn optimal_bins(values: &Values, rows: u64, options: &Options) -> Bins {
    let total = ClassCounts::sum(&values.counts);
    let one = |status| Bins { splits: Vec::new(), counts: vec![total], status };
    if total.total() == 0 {
        return one("empty");
    }
    let splits = match options.prebinning {
        Prebinning::Cart => {
            let min_leaf = share_of(options.min_prebin_size, rows).max(1);
            cart_splits(values, options.max_prebins.max(2) as usize, min_leaf)
        }
        Prebinning::Quantile => quantile_splits(values, options.max_prebins),
    };
    let (splits, prebins) = refine(values, splits);
    if prebins.len() <= 1 {
        return one("optimal");
    }
    let Some(solution) = best_bins(&prebins, &constraints(rows, options)) else { return one("infeasible") };
    let mut counts = Vec::new();
    let mut start = 0;
    for end in solution.cuts.iter().copied().chain([prebins.len()]) {
        counts.push(ClassCounts::sum(&prebins[start..end]));
        start = end;
    }
    Bins { splits: solution.cuts.iter().map(|cut| splits[cut - 1]).collect(), counts, status: "optimal" }
}

/// A share of the rows as a number of rows, rounded up.
pub(crate) fn share_of(share: f64, rows: u64) -> u64 {
    (share * rows as f64).ceil() as u64
}

fn constraints(rows: u64, options: &Options) -> Constraints {
    let bins =
        |bins: Option<i64>, default: usize| bins.map_or(default, |bins| usize::try_from(bins).unwrap_or(default));
    Constraints {
        trend: options.trend,
        min_bins: bins(options.min_bins, 1),
        max_bins: bins(options.max_bins, usize::MAX),
        min_size: options.min_bin_size.map_or(0, |share| share_of(share, rows)),
        min_events: options.min_events.max(0) as u64,
        min_nonevents: options.min_nonevents.max(0) as u64,
        min_rate_difference: options.min_rate_difference,
        min_z: options.max_p_value.map(|largest| normal_quantile(1.0 - largest / 2.0)),
    }
}

/// The thresholds of a tree: the midpoints of the values on both sides of each split.
fn cart_splits(values: &Values, leaves: usize, min_leaf: u64) -> Vec<f64> {
    let fits_single = |value: f64| value.abs() <= f64::from(f32::MAX);
    // scikit-learn refuses what single precision does not hold. Neither can cells of several numbers be rounded, since
    // a threshold could then fall into one.
    if !values.exact || !values.lows.iter().all(|low| fits_single(*low)) {
        let separable = vec![true; values.lows.len()];
        let splits = tree_splits(&values.counts, &separable, leaves, min_leaf);
        return splits.into_iter().map(|split| midpoint(values.highs[split - 1], values.lows[split])).collect();
    }
    let single: Vec<f32> = values.lows.iter().map(|low| *low as f32).collect();
    let mut separable = vec![false; single.len()];
    for (place, pair) in single.windows(2).enumerate() {
        separable[place + 1] = pair[1] > pair[0] + EQUAL_WITHIN;
    }
    let splits = tree_splits(&values.counts, &separable, leaves, min_leaf);
    let mut thresholds: Vec<f64> =
        splits.into_iter().map(|split| f64::from(single[split - 1]) / 2.0 + f64::from(single[split]) / 2.0).collect();
    thresholds.dedup();
    thresholds
}

/// A number above `low` and not above `high`, in their middle if that is a number.
fn midpoint(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    if middle > low && middle <= high { middle } else { high }
}

/// The inner edges of scikit-learn 1.9's `KBinsDiscretizer(strategy="quantile")`, whose quantiles average the two
/// values at a step of the distribution function.
fn quantile_splits(values: &Values, bins: i64) -> Vec<f64> {
    let rows = ClassCounts::sum(&values.counts).total();
    let mut ends = Vec::with_capacity(values.counts.len());
    let mut sum = 0u64;
    for counts in &values.counts {
        sum = sum.saturating_add(counts.total());
        ends.push(sum);
    }
    let at = |row: u64| values.lows[ends.partition_point(|end| *end <= row).min(values.lows.len() - 1)];
    let step = 100.0 / bins as f64;
    let quantile = |bin: i64| -> f64 {
        let share = if bin == bins { 1.0 } else { bin as f64 * step / 100.0 };
        let place = rows as f64 * share - 1.0;
        if place < 0.0 {
            return values.lows[0];
        }
        let below = (place.floor() as u64).min(rows - 1);
        let above = (below + 1).min(rows - 1);
        let (below, above) = (at(below), at(above));
        if place.fract() != 0.0 || below == above { above } else { average(below, above) }
    };
    let quantiles: Vec<f64> = (0..=bins).map(quantile).collect();
    let mut edges = vec![quantiles[0]];
    edges.extend(quantiles.windows(2).filter(|pair| pair[1] - pair[0] > 1e-8).map(|pair| pair[1]));
    let mut inner: Vec<f64> = match edges.len() {
        0..=2 => Vec::new(),
        count => edges[1..count - 1].to_vec(),
    };
    if !values.exact {
        // An edge must not fall into a cell of several numbers.
        let cell = |edge: f64| values.lows.partition_point(|low| *low < edge);
        inner.retain(|edge| cell(*edge) < values.lows.len());
        inner.iter_mut().for_each(|edge| *edge = values.lows[cell(*edge)]);
        inner.dedup();
    }
    inner
}

fn average(low: f64, high: f64) -> f64 {
    let middle = high - (high - low) * 0.5;
    if middle.is_finite() { middle } else { midpoint(low, high) }
}

/// Merges pure pre-bins, as optbinning's `_compute_prebins` does: a pure one with the next, the last with the one
/// before, again until none is pure. No splits are left if one bin cannot be helped.
fn refine(values: &Values, mut splits: Vec<f64>) -> (Vec<f64>, Vec<ClassCounts>) {
    loop {
        let mut bins = vec![ClassCounts::default(); splits.len() + 1];
        for (low, counts) in values.lows.iter().zip(&values.counts) {
            bins[splits.partition_point(|split| split <= low)].merge(counts);
        }
        let last = splits.len();
        if last == 0 || bins.iter().all(ClassCounts::is_mixed) {
            return (splits, bins);
        }
        let kept = splits.iter().enumerate().filter(|(split, _)| {
            let pure = !bins[*split].is_mixed() || (*split + 1 == last && !bins[last].is_mixed());
            !pure
        });
        splits = kept.map(|(_, split)| *split).collect();
    }
}

/// The trend that the bins have: `none` if they have several turns.
pub(crate) fn shape_of(bins: &[ClassCounts]) -> Trend {
    let orders: Vec<_> =
        bins.windows(2).map(|pair| crate::optimal::dynamic::compare_rates(&pair[0], &pair[1])).collect();
    let up = |part: &[std::cmp::Ordering]| part.iter().all(|order| order.is_le());
    let down = |part: &[std::cmp::Ordering]| part.iter().all(|order| order.is_ge());
    if up(&orders) {
        Trend::Ascending
    } else if down(&orders) {
        Trend::Descending
    } else if (0..=orders.len()).any(|turn| up(&orders[..turn]) && down(&orders[turn..])) {
        Trend::Peak
    } else if (0..=orders.len()).any(|turn| down(&orders[..turn]) && up(&orders[turn..])) {
        Trend::Valley
    } else {
        Trend::None
    }
}

#[cfg(test)]
mod tests;
