//! Equal keys together, but for frequent ones, whose rows are spread over the partitions that were chosen for them.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_common::{Result, plan_err};
use serde::{Deserialize, Serialize};

use crate::partitioner::{Clustering, Partitioner, Rows};
use crate::placement::hashes;
use crate::row_hash::scaled;
use crate::values::json_error;

/// Places frequent keys where they are wanted, and others as an ordinary exchange does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HotKeyPartitioner {
    partitions: usize,
    /// By the exchange's hash of the key. A partition that stands there twice gets twice the rows.
    hot: HashMap<u64, Vec<u32>>,
}

impl HotKeyPartitioner {
    /// The name in the registry and in SQL.
    pub const NAME: &'static str = "hot_keys";

    /// Over so many partitions, with the partitions of each frequent key by its hash
    /// ([`crate::placement::hashes`]).
    pub fn try_new(partitions: usize, hot: HashMap<u64, Vec<u32>>) -> Result<Self> {
        match hot.values().find(|chunks| chunks.is_empty() || chunks.iter().any(|at| *at as usize >= partitions)) {
            Some(chunks) => plan_err!("a frequent key goes to the partitions {chunks:?} of {partitions}"),
            None => Ok(Self { partitions, hot }),
        }
    }

    /// From its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Arc<dyn Partitioner>> {
        let decoded: Self = serde_json::from_slice(bytes).map_err(json_error)?;
        Ok(Arc::new(Self::try_new(decoded.partitions, decoded.hot)?))
    }
}

impl Partitioner for HotKeyPartitioner {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn partitions(&self) -> usize {
        self.partitions
    }

    fn clustering(&self) -> Clustering {
        if self.hot.is_empty() { Clustering::KeyClustered } else { Clustering::Spread }
    }

    fn uses_row_hash(&self) -> bool {
        !self.hot.is_empty()
    }

    fn partition(&self, rows: &Rows<'_>, ids: &mut [u32]) -> Result<()> {
        if rows.keys.is_empty() {
            return Ok(());
        }
        let partitions = self.partitions as u64;
        for (row, (hash, id)) in hashes(rows.keys)?.into_iter().zip(ids).enumerate() {
            *id = match self.hot.get(&hash) {
                Some(chunks) => chunks[scaled(rows.hashes[row], chunks.len()) as usize],
                None => (hash % partitions) as u32,
            };
        }
        Ok(())
    }

    fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(json_error)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};

    use super::*;
    use crate::partitioner::route;
    use crate::placement::exchange_partitions;

    #[test]
    fn frequent_keys_are_spread_and_others_are_together() {
        let keys: ArrayRef =
            Arc::new(Int64Array::from_iter_values((0..6000).map(|row| if row % 2 == 0 { 7 } else { row + 100 })));
        let rows: ArrayRef = Arc::new(Int64Array::from_iter_values(0..6000));
        let hot = hashes(&[Arc::new(Int64Array::from(vec![7])) as ArrayRef]).unwrap()[0];
        let placed = HotKeyPartitioner::try_new(8, HashMap::from([(hot, vec![1, 4, 4])])).unwrap();
        let decoded = HotKeyPartitioner::decode(&placed.encode().unwrap()).unwrap();
        let ids = route(decoded.as_ref(), &[Arc::clone(&keys)], &[Arc::clone(&keys), rows], 6000).unwrap();
        let hashed = exchange_partitions(&[keys], 8).unwrap();
        let mut loads = [0; 8];
        for (row, id) in ids.iter().enumerate() {
            match row % 2 {
                0 => loads[*id as usize] += 1,
                _ => assert_eq!(*id, hashed[row]),
            }
        }
        assert_eq!(loads[1] + loads[4], 3000);
        assert!((900..1100).contains(&loads[1]), "{loads:?}");
    }

    #[test]
    fn a_partition_that_is_not_there_is_refused() {
        assert!(HotKeyPartitioner::try_new(2, HashMap::from([(1, vec![2])])).is_err());
        assert!(HotKeyPartitioner::try_new(2, HashMap::from([(1, vec![])])).is_err());
    }
}
