//! Distinct numbers with what is counted of each, in bounded memory and without an order of rows.
//!
//! Up to a limit every number has a cell of its own. Beyond it, numbers that share the leading bits of their
//! order-preserving form share a cell, and no more bits are dropped than the limit demands. The number of bits dropped
//! depends only on which numbers there are, so the cells are a function of the multiset of rows.

use arrow::array::{ArrayRef, AsArray, Float64Array, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::{Result, exec_err};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::sync::Arc;

use crate::class_counts::{Tally, read_tallies, tally_columns, tally_fields};
use crate::state::{StateReader, list_of, one_list, struct_array, struct_of};

/// How many cells a grid has at most, unless told otherwise.
pub(crate) const CELLS: i64 = 65_536;
/// The largest number of cells that can be asked for.
pub(crate) const MOST_CELLS: i64 = 1 << 22;

const HASHER: FixedState = FixedState::with_seed(0x6772_6964);

/// Neighbouring numbers that are counted together: just one number unless the grid is coarse.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    /// The smallest number seen.
    pub(crate) low: f64,
    /// The largest number seen.
    pub(crate) high: f64,
    /// What is counted.
    pub(crate) tally: Tally,
}

/// The cells.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    limit: usize,
    /// How many of the trailing bits of a number's form are dropped.
    level: u32,
    cells: HashMap<u64, Cell, FixedState>,
}

/// A form of a number that orders as the numbers do; -0.0 is 0.0.
fn ordered(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

impl Grid {
    /// A grid of at most `limit` cells, at least 2.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit.max(2), level: 0, cells: HashMap::with_hasher(HASHER) }
    }

    /// How many trailing bits are dropped: 0 if every number has its own cell.
    pub(crate) fn level(&self) -> u32 {
        self.level
    }

    /// What is counted of a number, which must not be NaN.
    pub(crate) fn count(&mut self, number: f64, event: bool, weight: Option<f64>) {
        let number = number + 0.0;
        let key = ordered(number) >> self.level;
        let cell = self.cells.entry(key).or_insert_with(|| Cell { low: number, high: number, tally: Tally::default() });
        cell.low = cell.low.min(number);
        cell.high = cell.high.max(number);
        cell.tally.add(event, weight);
        if self.cells.len() > self.limit {
            self.coarsen();
        }
    }

    /// Adds a cell of another grid.
    fn add(&mut self, other: Cell) {
        match self.cells.entry(ordered(other.low) >> self.level) {
            hashbrown::hash_map::Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.low = known.low.min(other.low);
                known.high = known.high.max(other.high);
                known.tally.merge(&other.tally);
            }
            hashbrown::hash_map::Entry::Vacant(place) => {
                place.insert(other);
            }
        }
        if self.cells.len() > self.limit {
            self.coarsen();
        }
    }

    /// Drops as many bits as it takes to keep the limit.
    fn coarsen(&mut self) {
        let mut level = self.level;
        let mut keys: Vec<u64> = self.cells.keys().copied().collect();
        keys.sort_unstable();
        while keys.len() > self.limit && level < 63 {
            level += 1;
            keys.iter_mut().for_each(|key| *key >>= 1);
            keys.dedup();
        }
        self.raise(level);
    }

    fn raise(&mut self, level: u32) {
        if level <= self.level {
            return;
        }
        self.level = level;
        let cells = std::mem::replace(&mut self.cells, HashMap::with_hasher(HASHER));
        cells.into_values().for_each(|cell| self.add(cell));
    }

    /// The cells in ascending order of their numbers.
    pub(crate) fn sorted(&self) -> Vec<&Cell> {
        let mut cells: Vec<&Cell> = self.cells.values().collect();
        cells.sort_unstable_by(|left, right| left.low.total_cmp(&right.low));
        cells
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        let heap: usize = self.cells.values().map(|cell| cell.tally.heap_size()).sum();
        self.cells.capacity() * (size_of::<(u64, Cell)>() + 1) + heap
    }

    /// The fields of a grid in a state.
    pub(crate) fn fields(weighted: bool) -> Vec<(&'static str, DataType)> {
        let mut cell = vec![("low", DataType::Float64), ("high", DataType::Float64)];
        cell.extend(tally_fields(weighted));
        vec![("level", DataType::Int64), ("cells", list_of(struct_of(&cell)))]
    }

    /// The columns of [`Grid::fields`].
    pub(crate) fn columns(&self, weighted: bool) -> Result<Vec<(&'static str, ArrayRef)>> {
        let cells = self.sorted();
        let ends = |of: fn(&Cell) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(cells.iter().map(|cell| of(cell))))
        };
        let mut columns = vec![("low", ends(|cell| cell.low)), ("high", ends(|cell| cell.high))];
        let tallies: Vec<&Tally> = cells.iter().map(|cell| &cell.tally).collect();
        columns.extend(tally_columns(&tallies, weighted));
        let level: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![i64::from(self.level)]));
        Ok(vec![("level", level), ("cells", one_list(Arc::new(struct_array(columns)?)))])
    }

    /// Adds the cells of a state.
    pub(crate) fn merge(&mut self, state: &StateReader<'_>) -> Result<()> {
        let level = state.given("level", state.integer("level")?)?;
        match u32::try_from(level) {
            Ok(level) if level < 64 => self.raise(level),
            _ => return exec_err!("the field level of the state must be between 0 and 63: it is {level}"),
        }
        let cells = state.given("cells", state.structs("cells")?)?;
        let (lows, highs) = (ends(&cells, "low")?, ends(&cells, "high")?);
        for ((low, high), tally) in lows.into_iter().zip(highs).zip(read_tallies(&cells)?) {
            self.add(Cell { low, high, tally });
        }
        Ok(())
    }
}

fn ends(cells: &StructArray, field: &str) -> Result<Vec<f64>> {
    let Some(numbers) = cells.column_by_name(field) else {
        return exec_err!("the cells of the state have no field {field}");
    };
    let numbers = cast(numbers, &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    if numbers.iter().any(|number| number.is_none_or(f64::is_nan)) {
        return exec_err!("the field {field} of the state must hold numbers");
    }
    Ok(numbers.values().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::state_row;
    use arrow::array::Array;
    use proptest::prelude::*;

    fn grid_of(numbers: &[f64], limit: usize) -> Grid {
        let mut grid = Grid::new(limit);
        numbers.iter().for_each(|number| grid.count(*number, *number > 0.0, None));
        grid
    }

    fn state_of(grid: &Grid) -> StructArray {
        state_row("grid/1", grid.columns(false).unwrap()).unwrap()
    }

    #[test]
    fn the_forms_order_as_the_numbers_do() {
        let numbers = [f64::NEG_INFINITY, -1e300, -1.5, -1e-310, 0.0, 1e-310, 2.0, 1e300, f64::INFINITY];
        assert!(numbers.windows(2).all(|pair| ordered(pair[0]) < ordered(pair[1])));
        assert_eq!(ordered(-0.0), ordered(0.0));
    }

    #[test]
    fn numbers_below_the_limit_have_cells_of_their_own() {
        let grid = grid_of(&[3.0, -0.0, 0.0, 1.0, 3.0], 3);
        assert_eq!(grid.level(), 0);
        let cells: Vec<(f64, u64)> = grid.sorted().iter().map(|cell| (cell.low, cell.tally.counts.total())).collect();
        assert_eq!(cells, [(0.0, 2), (1.0, 1), (3.0, 2)]);
    }

    proptest! {
        #[test]
        fn the_cells_do_not_depend_on_order_or_split(
            numbers in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::INFINITE, 0..200),
            cut in 0usize..200,
            limit in 2usize..40,
        ) {
            let whole = grid_of(&numbers, limit);
            prop_assert!(whole.sorted().len() <= limit);
            let cut = cut.min(numbers.len());
            let mut backwards: Vec<f64> = numbers[cut..].to_vec();
            backwards.reverse();
            let mut merged = grid_of(&backwards, limit);
            let other = state_of(&grid_of(&numbers[..cut], limit));
            merged.merge(&StateReader::open(&other, 0, "grid/1").unwrap().unwrap()).unwrap();
            prop_assert_eq!(state_of(&merged).to_data(), state_of(&whole).to_data());
        }
    }
}
