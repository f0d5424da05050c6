//! What a planner has to be told by who runs its plans, and tells them.

use std::sync::Arc;

use datafusion::prelude::SessionConfig;
use parking_lot::Mutex;

use super::report::SkewNote;

/// Goes with a session's configuration to its planner and back.
#[derive(Debug, Default)]
pub struct SkewScope {
    broadcast_bytes: u64,
    cores: usize,
    notes: Mutex<Vec<SkewNote>>,
}

impl SkewScope {
    /// For plans that run on `cores` cores, and send a side of a join up to `broadcast_bytes` to every task instead of
    /// exchanging it.
    pub fn new(broadcast_bytes: u64, cores: usize) -> Self {
        Self { broadcast_bytes, cores, notes: Mutex::default() }
    }

    /// What the planner has found since it was last asked.
    pub fn take_notes(&self) -> Vec<SkewNote> {
        std::mem::take(&mut self.notes.lock())
    }

    /// Where nobody says otherwise, what one task builds a join's table of by itself.
    pub(super) fn broadcast_bytes(config: &SessionConfig) -> u64 {
        match config.get_extension::<Self>() {
            Some(scope) => scope.broadcast_bytes,
            None => config.options().optimizer.hash_join_single_partition_threshold as u64,
        }
    }

    /// Where nobody says otherwise, a partition for each core.
    pub(super) fn cores(config: &SessionConfig) -> usize {
        config.get_extension::<Self>().map_or(config.target_partitions(), |scope| scope.cores)
    }

    pub(crate) fn tell(config: &SessionConfig, notes: &[SkewNote]) {
        if let Some(scope) = config.get_extension::<Self>() {
            scope.notes.lock().extend_from_slice(notes);
        }
    }

    /// The same scope for another session.
    pub fn shared(self: &Arc<Self>, config: SessionConfig) -> SessionConfig {
        config.with_extension(Arc::clone(self))
    }
}
