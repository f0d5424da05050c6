//! Equal keys in one bucket, and buckets dealt out over the partitions.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use serde::{Deserialize, Serialize};

use crate::partitioner::{Clustering, Partitioner, Rows};
use crate::row_hash::scaled;
use crate::stable_hash::{check, stable_hashes};
use crate::values::json_error;

/// Puts a key into a bucket by a hash that never changes, and bucket `b` on partition `b % partitions`.
///
/// A key's bucket depends on the number of buckets alone, so it stays the same when a later job has other partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketPartitioner {
    buckets: usize,
    partitions: usize,
}

impl BucketPartitioner {
    /// The name in the registry and in SQL.
    pub const NAME: &'static str = "bucket";

    /// So many buckets over so many partitions. There must be a bucket for each partition at least.
    pub fn try_new(buckets: usize, partitions: usize) -> Result<Self> {
        if buckets == 0 || buckets < partitions || buckets > i32::MAX as usize {
            return plan_err!("{buckets} buckets cannot be dealt out over {partitions} partitions");
        }
        Ok(Self { buckets, partitions })
    }

    /// From its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Arc<dyn Partitioner>> {
        let read: Self = serde_json::from_slice(bytes).map_err(json_error)?;
        Ok(Arc::new(Self::try_new(read.buckets, read.partitions)?))
    }
}

impl Partitioner for BucketPartitioner {
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
            *id = scaled(hash, self.buckets) % self.partitions as u32;
        }
        Ok(())
    }

    fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(json_error)
    }
}
