//! What happens when the memory pool is too small for a plan's hash joins.
//!
//! DataFusion's hash join keeps its build side in memory and cannot spill it. Its sort-merge join can, and so can all
//! that it needs. So a plan that runs out of memory before it has given a row is planned once more without hash joins,
//! and with no more partitions than the pool has room for.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use datafusion::common::config::{ConfigNonZeroUsize, ConfigOptions};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool};
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties, execute_stream,
};
use datafusion::physical_planner::PhysicalPlanner;
use futures::StreamExt;

use crate::optimize::ConfinedExec;
use crate::stream;

/// What a partition needs for its sorts, and for what runs beside them.
const PARTITION_BYTES: usize = 48 << 20;
/// A partition of a plan with many joins sorts both sides of each.
const SHARES_OF_A_PARTITION: usize = 64;
const MIN_RESERVATION: usize = 512 << 10;
const SMALL_BATCH_ROWS: usize = 2048;
/// The share of the pool that goes to sorts; the rest is for the rows that joins hold of one key, for groups and for exchanges.
const FOR_SORTS: f64 = 0.6;
/// With one partition, DataFusion plans no sort-merge join.
const MIN_PARTITIONS: usize = 2;
/// How long the pool may take to get back what the first plan held.
const RELEASE_TRIES: usize = 200;
const RELEASE_INTERVAL: Duration = Duration::from_millis(10);

/// The state to plan with when hash joins did not fit into a pool of so many bytes.
pub fn without_hash_joins(state: &SessionState, pool_bytes: usize) -> SessionState {
    let mut state = state.clone();
    let options = state.config_mut().options_mut();
    options.optimizer.prefer_hash_join = false;
    let room = (pool_bytes / PARTITION_BYTES).max(MIN_PARTITIONS);
    options.execution.target_partitions = options.execution.target_partitions.clamp(MIN_PARTITIONS, room);
    spill_early(options, pool_bytes);
    state
}

/// Options for sorts that share a pool of so many bytes: each keeps little back for its merge, and batches are small, because
/// a merge holds one of each file.
pub fn spill_early(options: &mut ConfigOptions, pool_bytes: usize) {
    let execution = &mut options.execution;
    let share = pool_bytes / execution.target_partitions.max(1) / SHARES_OF_A_PARTITION;
    execution.sort_spill_reservation_bytes = execution.sort_spill_reservation_bytes.min(share.max(MIN_RESERVATION));
    if let Ok(rows) = ConfigNonZeroUsize::try_new(SMALL_BATCH_ROWS.min(execution.batch_size.get())) {
        execution.batch_size = rows;
    }
}

/// Whether an error says that memory ran out, however deep.
pub fn is_out_of_memory(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}

/// A plan, and how to plan it anew if its hash joins do not fit into memory. One output partition.
pub(super) struct MemoryFallbackExec {
    input: Arc<dyn ExecutionPlan>,
    again: Arc<Again>,
    properties: Arc<PlanProperties>,
}

/// What the second plan is made of, and the plan once it was needed.
struct Again {
    logical: LogicalPlan,
    state: SessionState,
    planner: Box<dyn PhysicalPlanner>,
    pool_bytes: usize,
    plan: OnceLock<Arc<dyn ExecutionPlan>>,
}

impl MemoryFallbackExec {
    /// The plan with a second chance, where the pool has a bound and there is a join that could exceed it.
    pub(super) fn over(
        input: Arc<dyn ExecutionPlan>,
        logical: &LogicalPlan,
        state: &SessionState,
        planner: impl PhysicalPlanner + 'static,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let MemoryLimit::Finite(pool_bytes) = state.runtime_env().memory_pool.memory_limit() else {
            return Ok(input);
        };
        if !state.config_options().optimizer.prefer_hash_join || !has_hash_join(&input)? {
            return Ok(input);
        }
        let (logical, state) = (logical.clone(), state.clone());
        let again = Again { logical, state, planner: Box::new(planner), pool_bytes, plan: OnceLock::new() };
        Ok(Arc::new(Self::new(input, Arc::new(again))))
    }

    fn new(input: Arc<dyn ExecutionPlan>, again: Arc<Again>) -> Self {
        let input: Arc<dyn ExecutionPlan> =
            match (input.output_partitioning().partition_count(), input.output_ordering()) {
                (1, _) => input,
                (_, Some(ordering)) => Arc::new(SortPreservingMergeExec::new(ordering.clone(), Arc::clone(&input))),
                (_, None) => Arc::new(CoalescePartitionsExec::new(input)),
            };
        let properties = Arc::clone(input.properties());
        Self { input, again, properties }
    }
}

fn has_hash_join(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    plan.exists(|node| Ok(node.name() == "HashJoinExec"))
}

impl Again {
    async fn run(&self, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let state = without_hash_joins(&self.state, self.pool_bytes);
        let plan = self.planner.create_physical_plan(&self.logical, &state).await?;
        let plan = share_among_sorts(plan, self.pool_bytes)?;
        let plan = self.plan.get_or_init(|| plan);
        let context = TaskContext::new(
            context.task_id(),
            context.session_id(),
            state.config().clone(),
            state.scalar_functions().clone(),
            state.higher_order_functions().clone(),
            state.aggregate_functions().clone(),
            state.window_functions().clone(),
            context.runtime_env(),
        );
        execute_stream(Arc::clone(plan), Arc::new(context))
    }
}

/// Gives each sort a part of the pool. A sort that merges its files takes as much as it can get, and others that have yet to
/// begin would find nothing left.
fn share_among_sorts(plan: Arc<dyn ExecutionPlan>, pool_bytes: usize) -> Result<Arc<dyn ExecutionPlan>> {
    let is_sort =
        |node: &Arc<dyn ExecutionPlan>| node.downcast_ref::<SortExec>().is_some_and(|sort| sort.fetch().is_none());
    let mut sorts = 0;
    plan.apply(|node| {
        sorts += if is_sort(node) { node.output_partitioning().partition_count() } else { 0 };
        Ok(TreeNodeRecursion::Continue)
    })?;
    let part = (pool_bytes as f64 * FOR_SORTS / sorts.max(1) as f64) as usize;
    plan.transform_up(|node| match is_sort(&node) {
        true => Ok(Transformed::yes(Arc::new(ConfinedExec::over(&node, part)?) as Arc<dyn ExecutionPlan>)),
        false => Ok(Transformed::no(node)),
    })
    .data()
}

/// Waits until the pool has what a plan that was given up held, but not for ever: others may be using it.
async fn released(pool: &Arc<dyn MemoryPool>, held_before: usize) {
    for _ in 0..RELEASE_TRIES {
        if pool.reserved() <= held_before {
            return;
        }
        tokio::time::sleep(RELEASE_INTERVAL).await;
    }
}

impl fmt::Debug for MemoryFallbackExec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryFallbackExec").field("input", &self.input).finish_non_exhaustive()
    }
}

impl DisplayAs for MemoryFallbackExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("MemoryFallbackExec")
    }
}

impl ExecutionPlan for MemoryFallbackExec {
    fn name(&self) -> &str {
        "MemoryFallbackExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, Arc::clone(&self.again)))),
            _ => internal_err!("MemoryFallbackExec has one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("MemoryFallbackExec has one partition, not {partition}");
        }
        let pool = Arc::clone(&context.runtime_env().memory_pool);
        let held_before = pool.reserved();
        let mut rows = self.input.execute(0, Arc::clone(&context))?;
        let again = Arc::clone(&self.again);
        Ok(stream::produce(self.schema(), move |mut sink| async move {
            while let Some(batch) = rows.next().await {
                match batch {
                    Ok(batch) => sink.send(batch).await,
                    Err(error) if sink.sent_rows() == 0 && is_out_of_memory(&error) => {
                        tracing::warn!(%error, "hash joins do not fit into memory: once more without them");
                        drop(rows);
                        released(&pool, held_before).await;
                        rows = again.run(Arc::clone(&context)).await?;
                        while let Some(batch) = rows.next().await {
                            sink.send(batch?).await;
                        }
                        return Ok(());
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        }))
    }

    /// Those of all nodes of the second plan, if there was need of it.
    fn metrics(&self) -> Option<MetricsSet> {
        let plan = self.again.plan.get()?;
        let mut all = MetricsSet::new();
        let _ = plan.apply(|node| {
            for metric in node.metrics().iter().flat_map(MetricsSet::iter) {
                all.push(Arc::clone(metric));
            }
            Ok(TreeNodeRecursion::Continue)
        });
        Some(all)
    }
}
