//! Partial aggregation whose groups stay in the processor's caches.
//!
//! The first step of an aggregation makes the exchange after it smaller. Where a key's rows are near each other, as they are
//! in files that were written in the order of the key, few groups are open at a time; but DataFusion keeps all that it has
//! seen until its input ends, and every row looks its group up in a table that no cache holds. Here the first step hands its
//! groups on and begins anew when they take [`TABLE_BYTES`]. A group that comes again later is merged by the last step,
//! which merges groups of all partitions anyway. (Input that repeats no keys at all does not come so far: DataFusion passes
//! it on without grouping it once it has seen a hundred thousand rows of it.)
//!
//! DataFusion's operator does so itself when memory is short, so all that it needs is a memory pool of that size. What it
//! reads from must not be in that pool.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties};

/// What the groups of a partition may take: a good part of a core's share of today's caches.
const TABLE_BYTES: usize = 8 << 20;

/// Aggregates whose state is a few numbers. Of others, a few groups could fill the table.
const SMALL_STATES: [&str; 12] =
    ["sum", "count", "avg", "min", "max", "bool_and", "bool_or", "bit_and", "bit_or", "bit_xor", "stddev", "var"];

/// Bounds the tables of partial aggregations.
#[derive(Debug, Default)]
pub(crate) struct PartialGroups;

impl PhysicalOptimizerRule for PartialGroups {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| match node.downcast_ref::<AggregateExec>() {
            Some(aggregate) if is_bounded(aggregate) => {
                Ok(Transformed::yes(Arc::new(PartialGroupsExec::over(&node)?) as Arc<dyn ExecutionPlan>))
            }
            _ => Ok(Transformed::no(node)),
        })
        .data()
    }

    fn name(&self) -> &str {
        "partial_groups"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn is_bounded(aggregate: &AggregateExec) -> bool {
    *aggregate.mode() == AggregateMode::Partial
        && *aggregate.input_order_mode() == InputOrderMode::Linear
        && !aggregate.group_expr().is_true_no_grouping()
        && aggregate.group_expr().is_single()
        && aggregate.limit_options().is_none()
        && aggregate.aggr_expr().iter().all(|function| {
            !function.is_distinct()
                && function.order_bys().is_empty()
                && SMALL_STATES.contains(&function.fun().name())
                && function.field().data_type().is_primitive()
        })
}

/// A partial aggregation in a pool of its own size.
#[derive(Debug)]
struct PartialGroupsExec {
    /// The aggregation, over [`Outside`].
    aggregate: Arc<dyn ExecutionPlan>,
    input: Arc<dyn ExecutionPlan>,
}

impl PartialGroupsExec {
    fn over(aggregate: &Arc<dyn ExecutionPlan>) -> Result<Self> {
        let children = aggregate.children();
        let [input] = children.as_slice() else { return internal_err!("an aggregation has one input") };
        let input = Arc::clone(input);
        let outside = Arc::new(Outside { input: Arc::clone(&input) });
        Ok(Self { aggregate: replace_children_if_necessary(Arc::clone(aggregate), vec![outside])?, input })
    }
}

impl DisplayAs for PartialGroupsExec {
    fn fmt_as(&self, format: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.aggregate.fmt_as(format, formatter)
    }
}

impl ExecutionPlan for PartialGroupsExec {
    fn name(&self) -> &str {
        "PartialGroupsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.aggregate.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.aggregate.apply_expressions(f)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => {
                let outside = Arc::new(Outside { input: Arc::clone(&input) });
                let aggregate = replace_children_if_necessary(Arc::clone(&self.aggregate), vec![outside])?;
                Ok(Arc::new(Self { aggregate, input }))
            }
            _ => internal_err!("PartialGroupsExec has one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let whole = Arc::clone(&context.runtime_env().memory_pool);
        let pool = Arc::new(TablePool { whole, used: AtomicUsize::new(0) });
        let runtime = Arc::new(RuntimeEnv { memory_pool: pool, ..context.runtime_env().as_ref().clone() });
        let config = context.session_config().clone().with_extension(Arc::new(OutsideContext(Arc::clone(&context))));
        let inside = TaskContext::new(
            context.task_id(),
            context.session_id(),
            config,
            context.scalar_functions().clone(),
            context.higher_order_functions().clone(),
            context.aggregate_functions().clone(),
            context.window_functions().clone(),
            runtime,
        );
        self.aggregate.execute(partition, Arc::new(inside))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.aggregate.metrics()
    }
}

/// The context that the input runs in.
struct OutsideContext(Arc<TaskContext>);

/// The aggregation's input, which runs in the pool of everything else.
#[derive(Debug)]
struct Outside {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for Outside {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("Outside")
    }
}

impl ExecutionPlan for Outside {
    fn name(&self) -> &str {
        "Outside"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    /// None: the node above shows the input as its own.
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        match context.session_config().get_extension::<OutsideContext>() {
            Some(outside) => self.input.execute(partition, Arc::clone(&outside.0)),
            None => internal_err!("the input of a partial aggregation runs below it"),
        }
    }
}

/// A part of another pool: what it gives out is the other's, and no more than [`TABLE_BYTES`].
#[derive(Debug)]
struct TablePool {
    whole: Arc<dyn MemoryPool>,
    used: AtomicUsize,
}

impl fmt::Display for TablePool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole.fmt(formatter)
    }
}

impl MemoryPool for TablePool {
    fn name(&self) -> &str {
        "partial_groups"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.whole.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.whole.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.whole.grow(reservation, additional);
        self.used.fetch_add(additional, Ordering::Relaxed);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.whole.shrink(reservation, shrink);
        self.used.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if self.used.load(Ordering::Relaxed) + additional > TABLE_BYTES {
            return Err(DataFusionError::ResourcesExhausted("the groups take more than the caches hold".to_owned()));
        }
        self.whole.try_grow(reservation, additional)?;
        self.used.fetch_add(additional, Ordering::Relaxed);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(TABLE_BYTES)
    }
}
