//! The plan of a task that an executor is given.
//!
//! A driver that plans stage by stage leaves out what works within one process only: filters that a join or a sort makes
//! while it runs for the scans below it. In a task there is no border between the two: it has the partitions of its plan to
//! itself and runs all of them at once. So executors plan these filters themselves, and whatever else needs no other task.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::ExecutionPlan;

use super::{CompactColumns, Conjunctions, GroupParts, KeySets, NarrowDecimals, PartialGroups, ScanFilters};

/// Settings under which a task is planned and run.
pub fn task_config(options: &mut ConfigOptions) {
    let optimizer = &mut options.optimizer;
    optimizer.enable_dynamic_filter_pushdown = true;
    optimizer.enable_join_dynamic_filter_pushdown = true;
    optimizer.enable_topk_dynamic_filter_pushdown = true;
    optimizer.enable_aggregate_dynamic_filter_pushdown = true;
    // Joins of two inputs that are both partitioned by key make no filter then. It would look for the partition of a key
    // among all that the stage has, and the task has only some of them.
    optimizer.preserve_file_partitions = 1;
}

/// The plan with what a task can add to it, under the settings of [`task_config`]. Partitions, their order and their rows
/// stay.
pub fn optimize_task(plan: Arc<dyn ExecutionPlan>, options: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = FilterPushdown::new_post_optimization().optimize(plan, options)?;
    let plan = ScanFilters.optimize(plan, options)?;
    let plan = CompactColumns.optimize(plan, options)?;
    let plan = NarrowDecimals.optimize(plan, options)?;
    let plan = KeySets.optimize(plan, options)?;
    let plan = Conjunctions.optimize(plan, options)?;
    let plan = PartialGroups { apart: true }.optimize(plan, options)?;
    GroupParts.optimize(plan, options)
}
