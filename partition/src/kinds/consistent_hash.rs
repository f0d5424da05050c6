//! Equal keys together, and few keys moved when the number of partitions changes.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use serde::{Deserialize, Serialize};

use crate::partitioner::{Clustering, Partitioner, Rows};
use crate::stable_hash::{check, stable_hashes};
use crate::values::json_error;

/// Jump consistent hashing (Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014): from n to n + 1
/// partitions a key stays where it is or goes to the new one, and one key in n + 1 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistentHashPartitioner {
    partitions: usize,
}

impl ConsistentHashPartitioner {
    /// The name in the registry and in SQL.
    pub const NAME: &'static str = "consistent_hash";

    /// Over so many partitions.
    pub fn new(partitions: usize) -> Self {
        Self { partitions }
    }

    /// From its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Arc<dyn Partitioner>> {
        Ok(Arc::new(serde_json::from_slice::<Self>(bytes).map_err(json_error)?))
    }
}

impl Partitioner for ConsistentHashPartitioner {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn partitions(&self) -> usize {
        self.partitions
    }

    fn clustering(&self) -> Clustering {
        Clustering::KeyClustered
    }

    fn check(&self, types: &[DataType]) -> Result<()> {
        check(types)
    }

    fn partition(&self, rows: &Rows<'_>, ids: &mut [u32]) -> Result<()> {
        for (id, hash) in ids.iter_mut().zip(stable_hashes(rows.keys, rows.len)?) {
            *id = jump(hash, self.partitions);
        }
        Ok(())
    }

    fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(json_error)
    }
}

fn jump(mut key: u64, partitions: usize) -> u32 {
    let mut at = 0_i64;
    let mut next = 0_i64;
    while next < partitions as i64 {
        at = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        next = ((at + 1) as f64 * ((1_i64 << 31) as f64 / ((key >> 33) + 1) as f64)) as i64;
    }
    at as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_partition_more_moves_keys_only_there() {
        let keys = 0..20_000_u64;
        let moved = keys.map(|key| (jump(crate::row_hash::mix(key), 9), jump(crate::row_hash::mix(key), 10)));
        let moved: Vec<_> = moved.filter(|(before, after)| before != after).collect();
        assert!(moved.iter().all(|(_, after)| *after == 9));
        assert!((1_800..2_200).contains(&moved.len()), "{}", moved.len());
    }
}
