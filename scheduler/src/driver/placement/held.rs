//! How many rows each task of a stage puts into hash tables before it reads its first partition.

use std::sync::Arc;

use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::{ExecutionPlan, StatisticsArgs, StatisticsContext};

/// Rows of the sides that the plan's joins hold whole.
pub(super) fn rows(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let own = match plan.downcast_ref::<HashJoinExec>() {
        Some(join) if *join.partition_mode() == PartitionMode::CollectLeft => of_side(join.left()),
        _ => 0,
    };
    own + plan.children().into_iter().map(rows).sum::<usize>()
}

fn of_side(side: &Arc<dyn ExecutionPlan>) -> usize {
    let known = StatisticsContext::new().compute(side.as_ref(), &StatisticsArgs::new());
    known.ok().and_then(|known| known.num_rows.get_value().copied()).unwrap_or(0)
}
