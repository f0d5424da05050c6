//! The memory pool: shares what the process may use fairly among the operators that can spill, and names the largest
//! consumers when it runs out.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool, TrackConsumersPool};

use crate::config::SluiceConfig;

/// How many consumers an out-of-memory error names.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4);

/// The pool's size in bytes, or `None` where it has no bound.
pub(super) fn limit_bytes(config: &SluiceConfig) -> Option<u64> {
    Some(config.memory_limit_bytes()).filter(|bytes| *bytes > 0)
}

/// The pool, or `None` where memory has no bound.
pub(super) fn pool(config: &SluiceConfig) -> Option<Arc<dyn MemoryPool>> {
    let bytes = usize::try_from(limit_bytes(config)?).unwrap_or(usize::MAX);
    Some(Arc::new(TrackConsumersPool::new(FairSpillPool::new(bytes), NAMED_CONSUMERS)))
}
