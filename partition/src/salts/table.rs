//! The salts of frequent keys, and how they are found.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, UInt32Array};
use arrow::compute::take;
use datafusion_common::{Result, exec_err};

use crate::placement::{exchange_partitions, hashes};

/// Salts that are tried before a partition counts as out of reach, for each partition.
const TRIES: usize = 200;

/// How a key's rows are split.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Split {
    /// The partition of each chunk; one that stands there twice gets twice the rows.
    pub partitions: Vec<u32>,
    /// Into how many parts the other side's rows are split: 1 repeats them for every chunk. The chunks are a grid of this
    /// many columns.
    pub columns: u32,
}

/// The salts of frequent keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SaltTable {
    keys: u32,
    scatter_nulls: bool,
    entries: Vec<Entry>,
    slots: Slots,
}

/// The salts of one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    /// Of the key, as the exchange would have it.
    pub(crate) hash: u64,
    /// The grid's row that each share of the split side's rows gets.
    pub(crate) routes: Vec<u32>,
    pub(crate) columns: u32,
    /// Row by row.
    pub(crate) salts: Vec<i32>,
}

impl SaltTable {
    /// Finds salts for the keys whose values are the rows of `keys`, in an exchange of `partitions`.
    ///
    /// `scatter_nulls` says that a key with a null matches nothing, so that its rows may lie anywhere.
    pub fn solve(keys: &[ArrayRef], splits: &[Split], partitions: usize, scatter_nulls: bool) -> Result<Self> {
        let key_hashes = hashes(keys)?;
        let mut entries = Vec::with_capacity(splits.len());
        for (row, (split, hash)) in splits.iter().zip(key_hashes).enumerate() {
            let cells = Cells::of(split);
            let salts = solve_salts(keys, row, &cells.partitions, partitions)?;
            entries.push(Entry { hash, routes: cells.routes, columns: split.columns.max(1), salts });
        }
        Ok(Self::from_parts(keys.len() as u32, scatter_nulls, entries))
    }

    pub(crate) fn from_parts(keys: u32, scatter_nulls: bool, mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| entry.hash);
        entries.dedup_by_key(|entry| entry.hash);
        let slots = Slots::of(entries.iter().map(|entry| entry.hash));
        Self { keys, scatter_nulls, entries, slots }
    }

    /// Columns of the key.
    pub fn key_columns(&self) -> usize {
        self.keys as usize
    }

    /// Whether rows with a null in their key are spread.
    pub fn scatters_nulls(&self) -> bool {
        self.scatter_nulls
    }

    /// Frequent keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key is frequent.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Salts of all keys together.
    pub fn chunks(&self) -> usize {
        self.entries.iter().map(|entry| entry.salts.len()).sum()
    }

    /// Whether a key is split on both sides.
    pub fn is_grid(&self) -> bool {
        self.entries.iter().any(|entry| entry.columns > 1)
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn find(&self, hash: u64) -> Option<&Entry> {
        self.slots.find(hash).map(|index| &self.entries[index as usize])
    }
}

/// The chunks of a key, each partition once unless it is a grid.
struct Cells {
    partitions: Vec<u32>,
    routes: Vec<u32>,
}

impl Cells {
    fn of(split: &Split) -> Self {
        let columns = split.columns.max(1) as usize;
        if columns > 1 {
            let rows = split.partitions.len() / columns;
            let partitions = split.partitions[..rows * columns].to_vec();
            return Self { partitions, routes: (0..rows as u32).collect() };
        }
        let mut partitions = split.partitions.clone();
        partitions.sort_unstable();
        partitions.dedup();
        let routes = split.partitions.iter().filter_map(|chunk| partitions.binary_search(chunk).ok());
        let routes = routes.map(|index| index as u32).collect();
        Self { partitions, routes }
    }
}

/// For each wanted partition a salt that leads there from the key in `row`; no salt twice.
pub(crate) fn solve_salts(keys: &[ArrayRef], row: usize, wanted: &[u32], partitions: usize) -> Result<Vec<i32>> {
    let mut found: Vec<Option<i32>> = vec![None; wanted.len()];
    let mut open: Vec<Vec<usize>> = vec![Vec::new(); partitions];
    for (index, &partition) in wanted.iter().enumerate().rev() {
        match open.get_mut(partition as usize) {
            Some(indexes) => indexes.push(index),
            None => return exec_err!("partition {partition} of {partitions}"),
        }
    }
    let mut missing = wanted.len();
    let (mut first, block) = (0, partitions.saturating_mul(2).clamp(64, 4096));
    while missing > 0 {
        if first > partitions.saturating_mul(TRIES).saturating_add(wanted.len()) + block {
            // The hash does not reach it: any salt is right, if not balanced.
            break;
        }
        let repeated = UInt32Array::from(vec![row as u32; block]);
        let mut columns = keys.iter().map(|key| take(key, &repeated, None)).collect::<Result<Vec<_>, _>>()?;
        let salts = first as i32..(first + block) as i32;
        columns.push(Arc::new(Int32Array::from_iter_values(salts.clone())));
        for (salt, partition) in salts.zip(exchange_partitions(&columns, partitions)?) {
            if let Some(index) = open[partition as usize].pop() {
                found[index] = Some(salt);
                missing -= 1;
            }
        }
        first += block;
    }
    let spare = (first as i32..).take(found.len());
    Ok(found.into_iter().zip(spare).map(|(salt, spare)| salt.unwrap_or(spare)).collect())
}

/// Hashes, open-addressed: a hash is its own address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Slots {
    slots: Vec<(u64, u32)>,
}

/// Marks a slot that is free.
const FREE: u32 = u32::MAX;

impl Slots {
    fn of(hashes: impl ExactSizeIterator<Item = u64>) -> Self {
        let mut slots = vec![(0, FREE); (hashes.len() * 4).next_power_of_two().max(4)];
        let mask = slots.len() - 1;
        for (hash, index) in hashes.zip(0..) {
            let mut at = hash as usize & mask;
            while slots[at].1 != FREE {
                at = (at + 1) & mask;
            }
            slots[at] = (hash, index);
        }
        Self { slots }
    }

    #[inline]
    fn find(&self, hash: u64) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let (found, index) = self.slots[at];
            if index == FREE {
                return None;
            }
            if found == hash {
                return Some(index);
            }
            at = (at + 1) & mask;
        }
    }
}
