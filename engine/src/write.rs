//! Parallel writes that are visible in full or not at all.
//!
//! Every partition of the input writes its own files into a staging folder, on whichever machine it runs; each try of a
//! partition uses a fresh folder below it, so a retried task never meets the files of its dead predecessor. Only the
//! files that successful tasks report are then put in place, by [`commit`], in one process.
//!
//! ```text
//! WriteNode ── plan ──> WriteExec (1:1 in partitions) ── rows (attempt, path, bytes, rows) ──> commit
//! ```

mod commit;
mod copy;
mod exec;
mod files;
mod in_flight;
mod logical;
mod options;
mod partition_path;
mod planner;
mod sink;
mod spec;
mod staging;
mod task;
mod writer;

pub use commit::{Mode, Target, abort, commit, sweep};
pub(crate) use copy::{CopyExec, collect_report, plan_copy};
pub use exec::WriteExec;
pub use files::{WrittenFile, read_report, total_rows, without_empty};
pub use logical::WriteNode;
pub(crate) use options::split_copy_options;
pub use planner::WriteExtensionPlanner;
pub use spec::WriteSpec;
pub(crate) use staging::StagingGuard;
pub use writer::{WriteFormat, WriterOptions};

use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use datafusion::physical_plan::ExecutionPlan;

/// The bytes that stand for a write in a plan between processes.
pub fn encode(write: &WriteExec) -> Result<Vec<u8>> {
    serde_json::to_vec(write.spec()).map_err(|error| DataFusionError::External(Box::new(error)))
}

/// The write that [`encode`] made the bytes of, over its input.
pub fn decode(bytes: &[u8], input: Arc<dyn ExecutionPlan>) -> Result<WriteExec> {
    let spec: WriteSpec = serde_json::from_slice(bytes).map_err(|error| DataFusionError::External(Box::new(error)))?;
    WriteExec::try_new(input, Arc::new(spec))
}
