//! Ranges of keys, with cuts inside one key where it alone fills several ranges.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::datatypes::{DataType, UInt64Type};
use arrow::row::{OwnedRow, RowConverter};
use datafusion_common::{Result, exec_err, plan_err};

use crate::partitioner::{Clustering, Partitioner, Rows};
use crate::sketch::KeySketch;
use crate::values;

/// Where ranges end, in ascending order.
#[derive(Debug, Clone)]
pub struct RangeCuts {
    /// The key columns, one row a cut.
    pub keys: Vec<ArrayRef>,
    /// Of the rows whose key is the cut's: those with a hash below this are before the cut. Null: all of them.
    pub ties: UInt64Array,
}

/// Puts keys in ascending order, nulls first, onto partitions.
#[derive(Debug)]
pub struct RangePartitioner {
    partitions: usize,
    cuts: RangeCuts,
    converter: RowConverter,
    rows: Vec<(OwnedRow, Option<u64>)>,
}

impl RangePartitioner {
    /// The name in the registry and in SQL.
    pub const NAME: &'static str = "range";

    /// Ranges between these cuts; partitions beyond the last range are empty. There must be fewer cuts than partitions,
    /// and they must ascend.
    pub fn try_new(cuts: RangeCuts, partitions: usize) -> Result<Self> {
        let count = cuts.ties.len();
        if cuts.keys.is_empty() || cuts.keys.iter().any(|key| key.len() != count) {
            return plan_err!("the cuts of a range partitioner must have as many values in each column");
        }
        if count >= partitions {
            return plan_err!("{count} cuts make more than {partitions} ranges");
        }
        let types: Vec<DataType> = cuts.keys.iter().map(|key| key.data_type().clone()).collect();
        let converter = values::converter(&types)?;
        let rows = converter.convert_columns(&cuts.keys)?;
        let rows: Vec<_> = rows.iter().map(|row| row.owned()).zip(cuts.ties.iter()).collect();
        let order = |(_, tie): &(OwnedRow, Option<u64>)| tie.map_or(u128::MAX, u128::from);
        if !rows.is_sorted_by(|a, b| (a.0.row(), order(a)) <= (b.0.row(), order(b))) {
            return plan_err!("the cuts of a range partitioner must ascend");
        }
        Ok(Self { partitions, cuts, converter, rows })
    }

    /// Ranges of equal weight, by a sketch of the keys: keys of these types, as [`KeySketch::update`] took them. A key
    /// that weighs more than a range is cut by the hash of its rows; no other key is.
    pub fn from_sketch(sketch: &KeySketch, types: &[DataType], partitions: usize) -> Result<Self> {
        let converter = values::converter(types)?;
        let parser = converter.parser();
        let weighted = sketch.weighted();
        let total: u64 = weighted.iter().map(|(_, weight)| *weight).sum();
        let mut cut_rows = Vec::new();
        let mut ties: Vec<Option<u64>> = Vec::new();
        let (mut at, mut before) = (0, 0_u64);
        for range in 1..partitions as u128 {
            let target = (u128::from(total) * range / partitions as u128) as u64;
            while at < weighted.len() && before + weighted[at].1 <= target {
                before += weighted[at].1;
                at += 1;
            }
            let Some((key, weight)) = weighted.get(at) else { break };
            let inside = target - before;
            let tie = if u128::from(*weight) * partitions as u128 > u128::from(total) {
                Some(((u128::from(inside) << 64) / u128::from(*weight)) as u64)
            } else {
                // The whole key goes to the side that the cut leaves less uneven.
                (inside * 2 <= *weight).then_some(0)
            };
            cut_rows.push(parser.parse(key));
            ties.push(tie);
        }
        let keys = converter.convert_rows(cut_rows)?;
        Self::try_new(RangeCuts { keys, ties: UInt64Array::from(ties) }, partitions)
    }

    /// Where the ranges end.
    pub fn cuts(&self) -> &RangeCuts {
        &self.cuts
    }

    /// From its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Arc<dyn Partitioner>> {
        let Some((head, rest)) = bytes.split_first_chunk::<4>() else {
            return exec_err!("the bytes of a range partitioner are too few");
        };
        let mut keys = values::decode(rest)?;
        let ties = keys.pop();
        let Some(ties) = ties.as_ref().and_then(|column| column.as_primitive_opt::<UInt64Type>()) else {
            return exec_err!("the bytes of a range partitioner have no cuts");
        };
        let cuts = RangeCuts { keys, ties: ties.clone() };
        Ok(Arc::new(Self::try_new(cuts, u32::from_le_bytes(*head) as usize)?))
    }
}

impl Partitioner for RangePartitioner {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn partitions(&self) -> usize {
        self.partitions
    }

    fn clustering(&self) -> Clustering {
        Clustering::RangeOrdered
    }

    fn uses_row_hash(&self) -> bool {
        self.rows.iter().any(|(_, tie)| tie.is_some_and(|tie| tie > 0))
    }

    fn check(&self, types: &[DataType]) -> Result<()> {
        let ours: Vec<DataType> = self.cuts.keys.iter().map(|key| key.data_type().clone()).collect();
        values::check_types(Self::NAME, &ours, types)
    }

    fn partition(&self, rows: &Rows<'_>, ids: &mut [u32]) -> Result<()> {
        let keys = self.converter.convert_columns(rows.keys)?;
        for (index, (id, key)) in ids.iter_mut().zip(keys.iter()).enumerate() {
            let hash = rows.hashes.get(index).copied().unwrap_or(0);
            *id = self.rows.partition_point(|(cut, tie)| match key.cmp(&cut.row()) {
                std::cmp::Ordering::Greater => true,
                std::cmp::Ordering::Equal => tie.is_some_and(|tie| hash >= tie),
                std::cmp::Ordering::Less => false,
            }) as u32;
        }
        Ok(())
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let ties: ArrayRef = Arc::new(self.cuts.ties.clone());
        let columns: Vec<ArrayRef> = self.cuts.keys.iter().cloned().chain([ties]).collect();
        let mut bytes = (self.partitions as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(&values::encode(&columns, self.cuts.ties.len())?);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;
    use crate::route;

    fn column(values: impl IntoIterator<Item = i64>) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(values))
    }

    fn partitioner(keys: &[ArrayRef], partitions: usize) -> Arc<dyn Partitioner> {
        let mut sketch = KeySketch::default();
        sketch.update(keys).unwrap();
        let range = RangePartitioner::from_sketch(&sketch, &[DataType::Int64], partitions).unwrap();
        RangePartitioner::decode(&range.encode().unwrap()).unwrap()
    }

    fn counts(ids: &[u32], partitions: usize) -> Vec<usize> {
        (0..partitions).map(|partition| ids.iter().filter(|id| **id as usize == partition).count()).collect()
    }

    #[test]
    fn even_keys_make_even_ranges_in_order() {
        let keys = [column((0..1000).rev())];
        let ids = route(partitioner(&keys, 4).as_ref(), &keys, &keys, 1000).unwrap();
        assert_eq!(counts(&ids, 4), [250, 250, 250, 250]);
        assert!(ids.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn one_hot_key_spans_ranges_and_the_order_holds() {
        // 700 of 1000 rows have the key 5.
        let keys = [column((0..1000).map(|row| if row < 700 { 5 } else { row % 300 }))];
        let columns = [Arc::clone(&keys[0]), column(0..1000)];
        let ids = route(partitioner(&keys, 4).as_ref(), &keys, &columns, 1000).unwrap();
        let counts = counts(&ids, 4);
        assert!(counts.iter().all(|count| (200..=300).contains(count)), "{counts:?}");
        let values = keys[0].as_primitive::<arrow::datatypes::Int64Type>().values().to_vec();
        let mut pairs: Vec<_> = ids.into_iter().zip(values).collect();
        pairs.sort_unstable();
        assert!(pairs.is_sorted_by_key(|(_, value)| *value));
    }

    #[test]
    fn a_key_lighter_than_a_range_is_never_cut() {
        let keys = [column((0..1000).map(|row| row / 100))];
        let columns = [Arc::clone(&keys[0]), column(0..1000)];
        let ids = route(partitioner(&keys, 3).as_ref(), &keys, &columns, 1000).unwrap();
        assert!(ids.chunks(100).all(|of_one_key| of_one_key.iter().all(|id| *id == of_one_key[0])));
    }

    #[test]
    fn no_rows_and_few_keys_leave_partitions_empty() {
        let none = partitioner(&[column([])], 4);
        let keys = [column([7, 7])];
        assert_eq!(route(none.as_ref(), &keys, &keys, 2).unwrap(), [0, 0]);
    }

    #[test]
    fn cuts_that_do_not_ascend_are_refused() {
        let cuts = RangeCuts { keys: vec![column([2, 1])], ties: UInt64Array::new_null(2) };
        assert!(RangePartitioner::try_new(cuts, 3).is_err());
    }
}
