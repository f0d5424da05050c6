//! Edges of bins: how they are made, kept in a state, and searched.

use arrow::array::{ArrayRef, Float64Array, new_null_array};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};
use std::hint::select_unpredictable;
use std::sync::Arc;

use crate::constants::Constants;
use crate::numbers::Closed;
use crate::spec::{Parameter, optional};
use crate::state::{StateReader, list_of, one_list};
use crate::summary::text;

/// The parameter of [`read_closed`].
pub(crate) const CLOSED: Parameter = optional(
    "closed",
    "'left'",
    "Which end of a bin belongs to it: 'left', as in scikit-learn and Spark, or 'right'. The outermost edges always do.",
);

/// Which end of a bin belongs to it, as a call says.
pub(crate) fn read_closed(constants: &Constants) -> Result<Closed> {
    Ok(constants.choice("closed", &Closed::NAMES)?.unwrap_or(Closed::Left))
}

/// How many bins a call wants.
pub(crate) fn read_bins(constants: &Constants) -> Result<i64> {
    constants.given("n", constants.integer_within("n", 1, 100_000)?)
}

/// Which end of a bin belongs to it, as a state says.
pub(crate) fn resume_closed(state: &StateReader<'_>) -> Result<Closed> {
    let name = state.given("closed", state.text("closed")?)?;
    match Closed::NAMES.iter().find(|(known, _)| *known == name) {
        Some((_, closed)) => Ok(*closed),
        None => exec_err!("the field closed of the state must be left or right: it is '{name}'"),
    }
}

/// How many bins a state was asked for.
pub(crate) fn resume_bins(state: &StateReader<'_>) -> Result<i64> {
    match state.given("n", state.integer("n")?)? {
        bins if (1..=100_000).contains(&bins) => Ok(bins),
        bins => exec_err!("the field n of the state must be between 1 and 100000: it is {bins}"),
    }
}

/// The column of [`resume_closed`].
pub(crate) fn closed_column(closed: Closed) -> ArrayRef {
    text(Closed::NAMES.iter().find(|(_, known)| *known == closed).map_or("", |(name, _)| name))
}

/// The column of edges; null if there were no values.
pub(crate) fn edges_column(edges: Option<Vec<f64>>) -> ArrayRef {
    match edges {
        Some(edges) => one_list(Arc::new(Float64Array::from(edges))),
        None => new_null_array(&list_of(DataType::Float64), 1),
    }
}

/// The edges without repetition; one bin that takes everything if all are equal, as scikit-learn has it for a constant
/// column.
///
/// scikit-learn drops bins up to a width of 1e-8, which loses columns of small numbers; here a bin is dropped if its
/// edges are equal.
pub(crate) fn distinct(mut edges: Vec<f64>) -> Vec<f64> {
    edges.dedup();
    if edges.len() < 2 { vec![f64::NEG_INFINITY, f64::INFINITY] } else { edges }
}

/// Edges of equal distance, as `numpy.linspace(least, most, n + 1)`.
pub(crate) fn even(least: f64, most: f64, bins: i64) -> Vec<f64> {
    let distance = most - least;
    let step = if distance.is_finite() { distance / bins as f64 } else { most / bins as f64 - least / bins as f64 };
    let mut edges: Vec<f64> = (0..bins).map(|index| index as f64 * step + least).collect();
    edges.push(most);
    edges[0] = least;
    // Between numbers that are close together, rounding must not turn the order.
    for index in 1..edges.len() {
        edges[index] = edges[index].max(edges[index - 1]).min(most);
    }
    edges
}

/// Inner edges, laid out for a search of a fixed number of steps.
#[derive(Debug)]
pub(crate) struct Search {
    /// `2^steps - 1` edges, filled up with NaN, which no value reaches.
    padded: Vec<f64>,
}

/// How many values are searched for side by side, so that one does not wait for the memory of another.
const LANES: usize = 8;

impl Search {
    /// Of edges in ascending order.
    pub(crate) fn new(edges: &[f64]) -> Self {
        let mut padded = edges.to_vec();
        padded.resize((edges.len() + 1).next_power_of_two() - 1, f64::NAN);
        Self { padded }
    }

    /// How many edges each value reaches (`reaches(edge, value)`); 0 for NaN.
    pub(crate) fn reached(&self, values: &[f64], reaches: impl Fn(f64, f64) -> bool) -> Vec<i64> {
        let mut places = vec![0; values.len()];
        let (wide, rest) = values.as_chunks::<LANES>();
        let (wide_places, rest_places) = places.as_chunks_mut::<LANES>();
        wide.iter().zip(wide_places).for_each(|(values, places)| *places = self.side_by_side(values, &reaches));
        rest.iter().zip(rest_places).for_each(|(value, place)| [*place] = self.side_by_side(&[*value], &reaches));
        places
    }

    #[inline(always)]
    fn side_by_side<const N: usize>(&self, values: &[f64; N], reaches: &impl Fn(f64, f64) -> bool) -> [i64; N] {
        let mut places = [0usize; N];
        let mut step = self.padded.len().div_ceil(2);
        while step > 0 {
            for (place, value) in places.iter_mut().zip(values) {
                let next = *place + step;
                // A branch would be mispredicted every other time.
                *place = select_unpredictable(reaches(self.padded[next - 1], *value), next, *place);
            }
            step /= 2;
        }
        places.map(|place| place as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_counts_the_edges_at_or_below_a_value() {
        for count in 0..40usize {
            let edges: Vec<f64> = (0..count).map(|index| (index / 2) as f64).collect();
            let search = Search::new(&edges);
            let values = [-1.0, 0.0, 0.5, 1.0, 7.0, 7.5, 100.0, f64::INFINITY, f64::NAN, f64::NEG_INFINITY];
            let counted = |reaches: fn(f64, f64) -> bool| -> Vec<i64> {
                values.iter().map(|value| edges.iter().filter(|edge| reaches(**edge, *value)).count() as i64).collect()
            };
            let at_or_below = |edge: f64, value: f64| edge <= value;
            assert_eq!(search.reached(&values, at_or_below), counted(at_or_below));
            let below = |edge: f64, value: f64| edge < value;
            assert_eq!(search.reached(&values, below), counted(below));
        }
    }

    #[test]
    fn even_edges_are_those_of_linspace() {
        // numpy 2.4.6: np.linspace(0.1, 0.7, 4), np.linspace(-3, 11, 6)
        assert_eq!(even(0.1, 0.7, 3), [0.1, 0.3, 0.5, 0.7]);
        assert_eq!(even(-3.0, 11.0, 5), [-3.0, -0.20000000000000018, 2.5999999999999996, 5.399999999999999, 8.2, 11.0]);
        let wide = even(f64::MIN, f64::MAX, 2);
        assert!(wide[1].abs() < 1e293 && wide[0] == f64::MIN && wide[2] == f64::MAX);
    }
}
