//! Inputs without rows, which every task of a stage has to read in the same way.
//!
//! For tasks that read nothing of an empty input below a union, Ballista puts another node in its place, which counts what
//! it does; the empty one does not. Then tasks of one stage report different numbers of metrics, the scheduler refuses the
//! later ones together with the task's end, and the job stands still.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

/// The plan with a source in memory, which can be cut into tasks, for each empty input.
pub(super) fn as_sources(plan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    Arc::clone(plan)
        .transform_up(|node| match node.downcast_ref::<EmptyExec>() {
            Some(empty) => {
                let partitions = vec![Vec::new(); empty.properties().output_partitioning().partition_count()];
                let source = MemorySourceConfig::try_new(&partitions, empty.schema(), None)?;
                Ok(Transformed::yes(DataSourceExec::from_data_source(source) as Arc<dyn ExecutionPlan>))
            }
            None => Ok(Transformed::no(node)),
        })
        .data()
}
