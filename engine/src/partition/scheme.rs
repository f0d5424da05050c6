//! How rows are placed, before the number of partitions and the types of the keys are known.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::plan_err;
use datafusion::error::Result;
use serde::{Deserialize, Serialize};
use sluice_partition::kinds::{
    BucketPartitioner, ConsistentHashPartitioner, HashPartitioner, RangePartitioner, RoundRobinPartitioner,
};
use sluice_partition::placement::MOST_PARTITIONS;
use sluice_partition::{KeySketch, Partitioner, PartitionerRegistry};

/// How rows are placed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scheme {
    /// Equal keys together.
    Hash,
    /// Equal keys in one of so many buckets, the same in every job, and the buckets over the partitions.
    Bucket(usize),
    /// Equal keys together; another number of partitions moves few of them.
    ConsistentHash,
    /// Rows spread evenly.
    RoundRobin,
    /// Rows spread evenly, where there would be more partitions.
    Coalesce,
    /// Keys in ascending ranges, by a sketch that is made before the statement runs.
    Range,
    /// Keys in ascending ranges, by the bytes of this sketch.
    Sketched(Vec<u8>),
    /// A partitioner by its name and bytes.
    Made(String, Vec<u8>),
    /// Rows stay where they are.
    Stay,
}

impl Scheme {
    /// A partitioner of the caller. Its name has to be registered where the statement is planned and where it runs.
    pub fn made(partitioner: &dyn Partitioner) -> Result<Self> {
        Ok(Self::Made(partitioner.name().to_string(), partitioner.encode()?))
    }

    /// The word in plans.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Hash => HashPartitioner::NAME,
            Self::Bucket(_) => BucketPartitioner::NAME,
            Self::ConsistentHash => ConsistentHashPartitioner::NAME,
            Self::RoundRobin | Self::Coalesce => RoundRobinPartitioner::NAME,
            Self::Range | Self::Sketched(_) => RangePartitioner::NAME,
            Self::Made(name, _) => name,
            Self::Stay => "stay",
        }
    }

    /// Whether keys say where a row goes.
    pub(crate) fn needs_keys(&self) -> bool {
        !matches!(self, Self::RoundRobin | Self::Coalesce | Self::Stay | Self::Made(..))
    }

    /// The partitioner over `partitions` partitions, checked against the types of its keys; `None` where rows stay, and
    /// where ranges are not sketched, which happens only in a plan that is shown and not run.
    pub(crate) fn bind(
        &self,
        registry: &PartitionerRegistry,
        partitions: usize,
        types: &[DataType],
    ) -> Result<Option<Arc<dyn Partitioner>>> {
        if !(1..=MOST_PARTITIONS).contains(&partitions) {
            return plan_err!("{partitions} partitions cannot be made: from 1 to {MOST_PARTITIONS} can");
        }
        let partitioner: Arc<dyn Partitioner> = match self {
            Self::Hash => Arc::new(HashPartitioner::new(partitions)),
            Self::Bucket(buckets) => Arc::new(BucketPartitioner::try_new(*buckets, partitions)?),
            Self::ConsistentHash => Arc::new(ConsistentHashPartitioner::new(partitions)),
            Self::RoundRobin | Self::Coalesce => Arc::new(RoundRobinPartitioner::new(partitions)),
            Self::Sketched(bytes) => {
                Arc::new(RangePartitioner::from_sketch(&KeySketch::decode(bytes)?, types, partitions)?)
            }
            Self::Made(name, bytes) => registry.decode(name, bytes)?,
            Self::Range | Self::Stay => return Ok(None),
        };
        partitioner.check(types)?;
        Ok(Some(partitioner))
    }
}
