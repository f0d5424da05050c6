//! A sketch of how keys are distributed, for the cuts of ranges.
//!
//! KLL (Karnin, Lang, Liberty, "Optimal Quantile Approximation in Streams", 2016) with levels of equal size, and the half
//! that is kept alternating instead of drawn: two sketches of the same rows in the same order are the same bytes.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};

use crate::values;

/// Keys that a level holds before it is halved.
const LEVEL_SIZE: usize = 2048;

/// Keys with weights: level `l` has keys that stand for `2^l` each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySketch {
    levels: Vec<Level>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Level {
    keys: Vec<Box<[u8]>>,
    keeps_odd: bool,
}

impl KeySketch {
    /// Takes the keys of rows: columns of the key in its order.
    pub fn update(&mut self, keys: &[ArrayRef]) -> Result<()> {
        let types: Vec<DataType> = keys.iter().map(|key| key.data_type().clone()).collect();
        let rows = values::converter(&types)?.convert_columns(keys)?;
        for row in rows.iter() {
            self.push(0, row.as_ref().into());
        }
        Ok(())
    }

    /// Takes what another sketch has seen.
    pub fn merge(&mut self, other: Self) {
        for (level, keys) in other.levels.into_iter().enumerate() {
            keys.keys.into_iter().for_each(|key| self.push(level, key));
        }
    }

    /// The distinct keys that are held, ascending, each with the number of rows that it stands for.
    pub(crate) fn weighted(&self) -> Vec<(&[u8], u64)> {
        let levels = self.levels.iter().enumerate();
        let mut all: Vec<(&[u8], u64)> =
            levels.flat_map(|(level, keys)| keys.keys.iter().map(move |key| (key.as_ref(), 1_u64 << level))).collect();
        all.sort_unstable();
        all.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        all
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        let keys = self.levels.iter().flat_map(|level| &level.keys);
        keys.map(|key| key.len() + size_of::<Box<[u8]>>()).sum()
    }

    /// The sketch as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = (self.levels.len() as u32).to_le_bytes().to_vec();
        for level in &self.levels {
            bytes.push(u8::from(level.keeps_odd));
            bytes.extend_from_slice(&(level.keys.len() as u32).to_le_bytes());
            for key in &level.keys {
                bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
                bytes.extend_from_slice(key);
            }
        }
        bytes
    }

    /// From its bytes.
    pub fn decode(mut bytes: &[u8]) -> Result<Self> {
        let mut levels = Vec::new();
        for _ in 0..take_number(&mut bytes)? {
            let keeps_odd = take(&mut bytes, 1)?[0] == 1;
            let mut keys = Vec::new();
            for _ in 0..take_number(&mut bytes)? {
                let length = take_number(&mut bytes)? as usize;
                keys.push(take(&mut bytes, length)?.into());
            }
            levels.push(Level { keys, keeps_odd });
        }
        Ok(Self { levels })
    }

    fn push(&mut self, level: usize, key: Box<[u8]>) {
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Level::default);
        }
        self.levels[level].keys.push(key);
        let mut at = level;
        while self.levels[at].keys.len() >= LEVEL_SIZE {
            let full = &mut self.levels[at];
            let mut keys = std::mem::take(&mut full.keys);
            let skipped = usize::from(full.keeps_odd);
            full.keeps_odd = !full.keeps_odd;
            keys.sort_unstable();
            at += 1;
            if self.levels.len() <= at {
                self.levels.push(Level::default());
            }
            self.levels[at].keys.extend(keys.into_iter().skip(skipped).step_by(2));
        }
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    match bytes.split_at_checked(length) {
        Some((taken, rest)) => {
            *bytes = rest;
            Ok(taken)
        }
        None => exec_err!("the bytes of a sketch of keys are too few"),
    }
}

fn take_number(bytes: &mut &[u8]) -> Result<u32> {
    let taken = take(bytes, 4)?;
    Ok(taken.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;

    use super::*;

    fn column(values: impl IntoIterator<Item = i64>) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(values))
    }

    #[test]
    fn quantiles_are_near_and_the_size_is_bounded() {
        let mut sketch = KeySketch::default();
        for part in 0..8 {
            let mut of_part = KeySketch::default();
            // A permutation of 0..80_000: 7919 is prime to it.
            of_part.update(&[column((0..10_000).map(|row| (part * 10_000 + row) * 7919 % 80_000))]).unwrap();
            sketch.merge(KeySketch::decode(&of_part.encode()).unwrap());
        }
        let weighted = sketch.weighted();
        assert!(weighted.len() < 8 * LEVEL_SIZE);
        let total: u64 = weighted.iter().map(|(_, weight)| weight).sum();
        assert!((79_000..=81_000).contains(&total), "{total}");
        let mut seen = 0;
        let median = weighted.iter().find(|(_, weight)| {
            seen += weight;
            seen * 2 >= total
        });
        let half = values::converter(&[DataType::Int64]).unwrap().convert_columns(&[column([39_000, 41_000])]).unwrap();
        let median = median.unwrap().0;
        assert!(half.row(0).as_ref() < median && median < half.row(1).as_ref());
    }
}
