//! The memory pool: shares what the process may use fairly among the operators that can spill, names the largest
//! consumers when it runs out, and remembers the most that was in use at a time.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool, UnboundedMemoryPool,
};

use crate::config::SluiceConfig;

/// How many consumers an out-of-memory error names.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4);

/// The pool's size in bytes, or `None` where it has no bound.
pub(super) fn limit_bytes(config: &SluiceConfig) -> Option<u64> {
    Some(config.memory_limit_bytes()).filter(|bytes| *bytes > 0)
}

/// The pool of a process that runs plans.
pub(super) fn pool(config: &SluiceConfig) -> Arc<dyn MemoryPool> {
    let inner: Arc<dyn MemoryPool> = match limit_bytes(config) {
        Some(bytes) => {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            Arc::new(TrackConsumersPool::new(FairSpillPool::new(bytes), NAMED_CONSUMERS))
        }
        None => Arc::new(UnboundedMemoryPool::default()),
    };
    Arc::new(PeakPool { inner, used: AtomicUsize::new(0), peak: AtomicUsize::new(0) })
}

/// The most bytes that were in use at a time, if the pool is one that remembers.
pub(super) fn peak_bytes(pool: &dyn MemoryPool) -> Option<u64> {
    pool.downcast_ref::<PeakPool>().map(|pool| pool.peak.load(Ordering::Relaxed) as u64)
}

/// Another pool, with a memory of the most that was in use.
#[derive(Debug)]
struct PeakPool {
    inner: Arc<dyn MemoryPool>,
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl PeakPool {
    fn grown(&self, additional: usize) {
        let used = self.used.fetch_add(additional, Ordering::Relaxed) + additional;
        self.peak.fetch_max(used, Ordering::Relaxed);
    }
}

impl fmt::Display for PeakPool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(formatter)
    }
}

impl MemoryPool for PeakPool {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.inner.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.inner.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.inner.grow(reservation, additional);
        self.grown(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.inner.shrink(reservation, shrink);
        self.used.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.inner.try_grow(reservation, additional)?;
        self.grown(additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.inner.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.inner.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_stays_when_memory_is_given_back() {
        let pool = pool(&SluiceConfig::default());
        let reservation = MemoryConsumer::new("test").register(&pool);
        reservation.grow(1_000);
        reservation.try_grow(500).unwrap();
        reservation.shrink(1_200);
        reservation.grow(100);
        assert_eq!((peak_bytes(pool.as_ref()), pool.reserved()), (Some(1_500), 400));
        assert!(reservation.try_grow(usize::MAX / 2).is_err());
        assert_eq!(peak_bytes(pool.as_ref()), Some(1_500));
    }
}
