//! Rows spread evenly, whatever their keys.

use std::sync::Arc;

use datafusion_common::Result;
use serde::{Deserialize, Serialize};

use crate::partitioner::{Clustering, Partitioner, Rows};
use crate::row_hash::scaled;
use crate::values::json_error;

/// Deals rows out by a hash of the whole row. Counting them instead would depend on the order that they arrive in, and a
/// task that runs again could lose rows or give them twice. Rows that are equal in all columns stay together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundRobinPartitioner {
    partitions: usize,
}

impl RoundRobinPartitioner {
    /// The name in the registry and in SQL.
    pub const NAME: &'static str = "round_robin";

    /// Over so many partitions.
    pub fn new(partitions: usize) -> Self {
        Self { partitions }
    }

    /// From its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Arc<dyn Partitioner>> {
        Ok(Arc::new(serde_json::from_slice::<Self>(bytes).map_err(json_error)?))
    }
}

impl Partitioner for RoundRobinPartitioner {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn partitions(&self) -> usize {
        self.partitions
    }

    fn clustering(&self) -> Clustering {
        Clustering::Spread
    }

    fn uses_row_hash(&self) -> bool {
        true
    }

    fn partition(&self, rows: &Rows<'_>, ids: &mut [u32]) -> Result<()> {
        for (id, hash) in ids.iter_mut().zip(rows.hashes) {
            *id = scaled(*hash, self.partitions);
        }
        Ok(())
    }

    fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(json_error)
    }
}
