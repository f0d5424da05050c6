//! Equal keys together, by the exchange's own hash.

use std::sync::Arc;

use datafusion_common::Result;
use serde::{Deserialize, Serialize};

use crate::partitioner::{Clustering, Partitioner, Rows};
use crate::placement::exchange_partitions;
use crate::values::json_error;

/// Places rows as an ordinary exchange of the same number of partitions does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashPartitioner {
    partitions: usize,
}

impl HashPartitioner {
    /// The name in the registry and in SQL.
    pub const NAME: &'static str = "hash";

    /// Over so many partitions.
    pub fn new(partitions: usize) -> Self {
        Self { partitions }
    }

    /// From its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Arc<dyn Partitioner>> {
        Ok(Arc::new(serde_json::from_slice::<Self>(bytes).map_err(json_error)?))
    }
}

impl Partitioner for HashPartitioner {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn partitions(&self) -> usize {
        self.partitions
    }

    fn clustering(&self) -> Clustering {
        Clustering::KeyClustered
    }

    fn partition(&self, rows: &Rows<'_>, ids: &mut [u32]) -> Result<()> {
        if !rows.keys.is_empty() {
            ids.copy_from_slice(&exchange_partitions(rows.keys, self.partitions)?);
        }
        Ok(())
    }

    fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(json_error)
    }
}
