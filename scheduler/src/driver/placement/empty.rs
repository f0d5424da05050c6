//! Inputs without rows, which every task of a stage has to read in the same way.
//!
//! Ballista makes an empty input of several partitions from one of a single partition below an exchange within the stage.
//! Below a union that does not shrink to the partitions that a task has: they are counted wrong, and rows of the union's other
//! inputs go to wrong partitions or are written twice. And for tasks that read nothing of an empty input, Ballista puts a
//! node in its place that counts what it does, while the empty one does not. Then tasks of one stage report different numbers
//! of metrics, the scheduler refuses the later ones together with the task's end, and the job stands still.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::error::Result;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

/// The plan with a source in memory, which can be cut into tasks, for each empty input.
pub(super) fn as_sources(plan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    Arc::clone(plan)
        .transform_down(|node| if is_empty(&node) { source(&node) } else { Ok(Transformed::no(node)) })
        .data()
}

fn is_empty(node: &Arc<dyn ExecutionPlan>) -> bool {
    let exchange = node.downcast_ref::<RepartitionExec>();
    node.is::<EmptyExec>() || exchange.is_some_and(|exchange| exchange.input().is::<EmptyExec>())
}

fn source(node: &Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let partitions = vec![Vec::new(); node.output_partitioning().partition_count()];
    let source = MemorySourceConfig::try_new(&partitions, node.schema(), None)?;
    Ok(Transformed::yes(DataSourceExec::from_data_source(source)))
}
