//! Draws from a discrete distribution in constant time (Walker, 1977; Vose, "A linear algorithm for generating random
//! numbers with a given distribution", 1991).

use crate::stable_hash::unit;

/// The alias table of some weights.
#[derive(Debug)]
pub(super) struct AliasTable {
    /// The chance to stay at a place, and where to go otherwise.
    cells: Vec<(f64, u32)>,
}

impl AliasTable {
    /// The table of weights that are finite and above 0.
    pub(super) fn new(weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        let mut chances: Vec<f64> = weights.iter().map(|weight| weight / total * weights.len() as f64).collect();
        let mut cells: Vec<(f64, u32)> = (0..weights.len() as u32).map(|place| (1.0, place)).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..weights.len() as u32).partition(|place| chances[*place as usize] < 1.0);
        while let (Some(low), Some(high)) = (small.pop(), large.last().copied()) {
            let chance = chances[low as usize];
            cells[low as usize] = (chance, high);
            chances[high as usize] -= 1.0 - chance;
            if chances[high as usize] < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        Self { cells }
    }

    /// The place that two random numbers give; the table must not be empty.
    pub(super) fn draw(&self, first: u64, second: u64) -> u32 {
        let place = ((u128::from(first) * self.cells.len() as u128) >> 64) as usize;
        let (chance, other) = self.cells[place];
        if unit(second) < chance { place as u32 } else { other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_its_share_exactly() {
        let weights = [5.0, 0.25, 1.0, 8.0, 0.0625, 3.0];
        let table = AliasTable::new(&weights);
        let mut shares = [0.0; 6];
        for (place, (chance, other)) in table.cells.iter().enumerate() {
            shares[place] += chance / 6.0;
            shares[*other as usize] += (1.0 - chance) / 6.0;
        }
        let total: f64 = weights.iter().sum();
        let pairs = shares.iter().zip(weights);
        pairs.for_each(|(share, weight)| assert!((share - weight / total).abs() < 1e-15, "{share} {weight}"));
    }
}
