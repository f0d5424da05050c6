//! Partitioners by name, so that a task on another machine can make one from its bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, RwLock};

use datafusion_common::{Result, plan_err};

use crate::kinds;
use crate::partitioner::Partitioner;
use crate::placement::MOST_PARTITIONS;

/// Makes a partitioner from what [`Partitioner::encode`] gave.
pub type Decoder = Arc<dyn Fn(&[u8]) -> Result<Arc<dyn Partitioner>> + Send + Sync>;

/// The partitioners that a process knows.
pub struct PartitionerRegistry {
    decoders: RwLock<BTreeMap<String, Decoder>>,
}

impl PartitionerRegistry {
    /// A registry of the kinds that Sluice comes with.
    pub fn standard() -> Self {
        let registry = Self { decoders: RwLock::new(BTreeMap::new()) };
        registry.put(kinds::HashPartitioner::NAME, Arc::new(kinds::HashPartitioner::decode));
        registry.put(kinds::HotKeyPartitioner::NAME, Arc::new(kinds::HotKeyPartitioner::decode));
        registry.put(kinds::BucketPartitioner::NAME, Arc::new(kinds::BucketPartitioner::decode));
        registry.put(kinds::ConsistentHashPartitioner::NAME, Arc::new(kinds::ConsistentHashPartitioner::decode));
        registry.put(kinds::RoundRobinPartitioner::NAME, Arc::new(kinds::RoundRobinPartitioner::decode));
        registry.put(kinds::ListPartitioner::NAME, Arc::new(kinds::ListPartitioner::decode));
        registry.put(kinds::RangePartitioner::NAME, Arc::new(kinds::RangePartitioner::decode));
        registry
    }

    /// Adds a partitioner of a user. A name that is taken is refused: two processes could mean two things by it.
    pub fn register(&self, name: &str, decoder: Decoder) -> Result<()> {
        if self.names().iter().any(|known| known == name) {
            return plan_err!("there is a partitioner \"{name}\" already");
        }
        self.put(name, decoder);
        Ok(())
    }

    /// Makes a partitioner. Fails for a name that is not registered, and where it has no partition or too many.
    pub fn decode(&self, name: &str, bytes: &[u8]) -> Result<Arc<dyn Partitioner>> {
        let decoder = self.read().get(name).cloned();
        let Some(decoder) = decoder else {
            let known = self.names().join(", ");
            return plan_err!("the partitioner \"{name}\" is not registered in this process; known are {known}");
        };
        let partitioner = decoder(bytes)?;
        match partitioner.partitions() {
            1..=MOST_PARTITIONS => Ok(partitioner),
            other => {
                plan_err!("the partitioner \"{name}\" has {other} partitions, but from 1 to {MOST_PARTITIONS} can be")
            }
        }
    }

    /// The names, sorted.
    pub fn names(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
    }

    fn put(&self, name: &str, decoder: Decoder) {
        // A map is whole after any panic: insertion is the only change.
        let mut decoders = self.decoders.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        decoders.insert(name.to_string(), decoder);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, Decoder>> {
        self.decoders.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Default for PartitionerRegistry {
    fn default() -> Self {
        Self::standard()
    }
}

impl fmt::Debug for PartitionerRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_an_error_that_says_it() {
        let error = PartitionerRegistry::standard().decode("mine", &[]).unwrap_err().strip_backtrace();
        assert!(error.contains("the partitioner \"mine\" is not registered"), "{error}");
    }

    #[test]
    fn a_name_is_taken_once() {
        let registry = PartitionerRegistry::standard();
        let decoder: Decoder = Arc::new(kinds::HashPartitioner::decode);
        registry.register("mine", Arc::clone(&decoder)).unwrap();
        assert!(registry.register("mine", Arc::clone(&decoder)).is_err());
        assert!(registry.register("hash", decoder).is_err());
    }

    #[test]
    fn no_partition_and_too_many_are_refused() {
        let registry = PartitionerRegistry::standard();
        for partitions in [0, MOST_PARTITIONS + 1] {
            let bytes = kinds::HashPartitioner::new(partitions).encode().unwrap();
            assert!(registry.decode("hash", &bytes).is_err());
        }
    }
}
