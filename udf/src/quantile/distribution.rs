//! What a fit knows of the distribution of a column in the end: values with their counts, from which quantiles and ranks
//! are read.

use crate::constants::Constants;
use crate::spec::{Parameter, optional};
use datafusion_common::Result;

/// How a quantile between two values is made, after R's types (Hyndman and Fan, 1996), with the arithmetic of NumPy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interpolation {
    /// The least value that at least the share `p` of the rows does not exceed (R type 1).
    InvertedCdf,
    /// As `InvertedCdf`, and the mean of two neighbours where the share is met exactly (R type 2).
    AveragedInvertedCdf,
    /// On the line between the two nearest values (R type 7).
    Linear,
}

impl Interpolation {
    const NAMES: [(&'static str, Self); 3] = [
        ("averaged_inverted_cdf", Self::AveragedInvertedCdf),
        ("linear", Self::Linear),
        ("inverted_cdf", Self::InvertedCdf),
    ];

    /// The name in SQL.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// The one of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, known)| *known)
    }

    /// The one that a call asks for.
    pub(crate) fn read(constants: &Constants) -> Result<Option<Self>> {
        constants.choice("interpolation", &Self::NAMES)
    }
}

/// The parameter of [`Interpolation`].
pub(crate) const fn interpolation_parameter(default: &'static str) -> Parameter {
    optional(
        "interpolation",
        default,
        "How a quantile between two values is made: 'averaged_inverted_cdf' (the mean of two neighbours where the \
         share is met exactly), 'inverted_cdf' (a value that occurs) or 'linear', each as in NumPy.",
    )
}

/// Ranges of values in ascending order, with how many rows lie in each. A range of one value is exact; within another,
/// the first row has the lower end, the last row the upper end, and the others lie evenly between them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Distribution {
    ranges: Vec<(f64, f64)>,
    /// How many rows lie in this range and those before it.
    ends: Vec<u64>,
}

impl Distribution {
    /// From ranges and their counts, in ascending order.
    pub(crate) fn new(ranges: impl Iterator<Item = (f64, f64, u64)>) -> Self {
        let mut distribution = Self::default();
        for (low, high, count) in ranges {
            distribution.ranges.push((low, high));
            distribution.ends.push(distribution.rows().saturating_add(count));
        }
        distribution
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The least and the greatest value.
    pub(crate) fn bounds(&self) -> Option<(f64, f64)> {
        Some((self.ranges.first()?.0, self.ranges.last()?.1))
    }

    /// The middle of each range with its count.
    pub(crate) fn values(&self) -> impl Iterator<Item = (f64, u64)> {
        self.ranges.iter().enumerate().map(|(index, (low, high))| (line(*low, *high, 0.5), self.count(index)))
    }

    /// The most frequent value; of several, the smallest.
    pub(crate) fn mode(&self) -> Option<f64> {
        let most = (0..self.ranges.len()).map(|index| self.count(index)).max()?;
        (0..self.ranges.len()).find(|index| self.count(*index) == most).map(|index| self.ranges[index].0)
    }

    fn count(&self, index: usize) -> u64 {
        self.ends[index] - self.start(index)
    }

    fn start(&self, index: usize) -> u64 {
        if index == 0 { 0 } else { self.ends[index - 1] }
    }

    /// The greatest share of rows whose order within a range is not known: no rank is further off.
    pub(crate) fn uncertainty(&self) -> f64 {
        let unknown = (0..self.ranges.len()).filter(|index| self.ranges[*index].0 < self.ranges[*index].1);
        let greatest = unknown.map(|index| self.count(index)).max().unwrap_or(0);
        if greatest == 0 { 0.0 } else { greatest as f64 / self.rows() as f64 }
    }

    /// The value of the row at a place, counted from 0 in ascending order.
    fn order(&self, place: u64) -> f64 {
        let place = place.min(self.rows().saturating_sub(1));
        let index = self.ends.partition_point(|end| *end <= place);
        let Some((low, high)) = self.ranges.get(index) else { return f64::NAN };
        let (within, last) = (place - self.start(index), self.count(index).saturating_sub(1));
        match within {
            0 => *low,
            within if within == last => *high,
            within => line(*low, *high, within as f64 / last as f64),
        }
    }

    /// The quantile of a share between 0 and 1; `None` if there are no rows.
    pub(crate) fn quantile(&self, share: f64, interpolation: Interpolation) -> Option<f64> {
        if self.rows() == 0 {
            return None;
        }
        let rows = self.rows() as f64;
        let place = match interpolation {
            Interpolation::Linear => (rows - 1.0) * share,
            _ => rows * share - 1.0,
        };
        if place < 0.0 {
            return Some(self.order(0));
        }
        let before = place.floor();
        let beyond = place - before;
        let weight = match interpolation {
            Interpolation::Linear => beyond,
            Interpolation::InvertedCdf => f64::from(beyond > 0.0),
            Interpolation::AveragedInvertedCdf => {
                if beyond == 0.0 {
                    0.5
                } else {
                    1.0
                }
            }
        };
        Some(line(self.order(before as u64), self.order(before as u64 + 1), weight))
    }

    /// The share of rows that are at most `value`; `None` if there are no rows.
    pub(crate) fn rank(&self, value: f64) -> Option<f64> {
        let index = self.ranges.partition_point(|(_, high)| *high <= value);
        let mut below = if index == 0 { 0 } else { self.ends[index - 1] };
        if let Some((low, high)) = self.ranges.get(index)
            && *low <= value
        {
            let within = (value - low) / (high - low);
            let within = if within.is_nan() { 0.0 } else { within };
            below += 1 + (within * self.count(index).saturating_sub(1) as f64) as u64;
        }
        (self.rows() > 0).then(|| below as f64 / self.rows() as f64)
    }
}

/// The point between two numbers at a weight between 0 and 1, as NumPy's `_lerp`; next to an infinity, that infinity.
fn line(low: f64, high: f64, weight: f64) -> f64 {
    if low == high || weight == 0.0 {
        return low;
    }
    if weight == 1.0 {
        return high;
    }
    if low.is_infinite() || high.is_infinite() {
        return if low.is_infinite() { low } else { high };
    }
    let distance = high - low;
    if distance.is_infinite() {
        return low * (1.0 - weight) + high * weight;
    }
    if weight >= 0.5 { high - distance * (1.0 - weight) } else { low + distance * weight }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ten() -> Distribution {
        Distribution::new((1..=10).map(|value| (value as f64, value as f64, 1)))
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy 2.4.6: np.quantile(np.arange(1., 11), [0, .1, .25, .3, .5, .99, 1], method=...)
        let shares = [0.0, 0.1, 0.25, 0.3, 0.5, 0.99, 1.0];
        let quantiles = |interpolation| shares.map(|share| ten().quantile(share, interpolation).unwrap());
        assert_eq!(quantiles(Interpolation::Linear), [1.0, 1.9, 3.25, 3.6999999999999997, 5.5, 9.91, 10.0]);
        assert_eq!(quantiles(Interpolation::InvertedCdf), [1.0, 1.0, 3.0, 3.0, 5.0, 10.0, 10.0]);
        assert_eq!(quantiles(Interpolation::AveragedInvertedCdf), [1.0, 1.5, 3.0, 3.5, 5.5, 10.0, 10.0]);
    }

    #[test]
    fn ranks_count_the_rows_up_to_a_value() {
        let ranks = [0.0, 1.0, 1.5, 9.9, 10.0, 11.0].map(|value| ten().rank(value).unwrap());
        assert_eq!(ranks, [0.0, 0.1, 0.1, 0.9, 1.0, 1.0]);
        assert_eq!(Distribution::default().rank(1.0), None);
    }

    #[test]
    fn rows_of_a_range_lie_evenly_between_its_ends() {
        let range = Distribution::new([(0.0, 0.0, 1), (1.0, 3.0, 3), (5.0, 5.0, 1)].into_iter());
        let order: Vec<f64> = (0..5).map(|place| range.order(place)).collect();
        assert_eq!(order, [0.0, 1.0, 2.0, 3.0, 5.0]);
        let ranks = order.iter().map(|value| range.rank(*value).unwrap()).collect::<Vec<_>>();
        assert_eq!(ranks, [0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(range.uncertainty(), 0.6);
    }

    #[test]
    fn infinities_are_ends_like_others() {
        let odd = Distribution::new([(f64::NEG_INFINITY, f64::NEG_INFINITY, 1), (1.0, 1.0, 1)].into_iter());
        assert_eq!(odd.quantile(0.5, Interpolation::Linear), Some(f64::NEG_INFINITY));
        assert_eq!(odd.quantile(1.0, Interpolation::Linear), Some(1.0));
    }
}
