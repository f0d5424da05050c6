//! Edges of bins: how they are made, kept in a state, and searched.

use arrow::array::{ArrayRef, Float64Array, new_null_array};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_edges_are_those_of_linspace() {
        // numpy 2.4.6: np.linspace(0.1, 0.7, 4), np.linspace(-3, 11, 6)
        assert_eq!(even(0.1, 0.7, 3), [0.1, 0.3, 0.5, 0.7]);
        assert_eq!(even(-3.0, 11.0, 5), [-3.0, -0.20000000000000018, 2.5999999999999996, 5.399999999999999, 8.2, 11.0]);
        let wide = even(f64::MIN, f64::MAX, 2);
        assert!(wide[1].abs() < 1e293 && wide[0] == f64::MIN && wide[2] == f64::MAX);
    }
}
