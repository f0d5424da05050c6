//! What a write that is given up leaves behind goes.

use std::sync::Arc;

use super::{Target, abort};
use crate::storage::StoreRegistry;

/// Deletes the staging folder of a write that is dropped while it runs.
pub(crate) struct StagingGuard {
    stores: Arc<StoreRegistry>,
    target: Option<Target>,
}

impl StagingGuard {
    pub(crate) fn new(stores: &Arc<StoreRegistry>, target: &Target) -> Self {
        Self { stores: Arc::clone(stores), target: Some(target.clone()) }
    }

    /// The files are somebody else's care now.
    pub(crate) fn keep(mut self) {
        self.target = None;
    }
}

impl Drop for StagingGuard {
    fn drop(&mut self) {
        let (Some(target), Ok(runtime)) = (self.target.take(), tokio::runtime::Handle::try_current()) else { return };
        let stores = Arc::clone(&self.stores);
        // A drop cannot wait; the task ends by itself once the folder is gone.
        runtime.spawn(async move { abort(&stores, &target).await });
    }
}
