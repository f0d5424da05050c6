//! A node that has a part of the memory pool to itself.
//!
//! Operators of DataFusion that can spill, or hand on early what they have, do so when their pool gives them no more. Here a
//! node sees a pool that gives it no more than its part; what it takes is taken from the whole pool as well. What the node
//! reads from is not confined with it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

/// A node with one input that has a part of the memory pool to itself.
#[derive(Debug)]
pub(crate) struct ConfinedExec {
    /// The node, over [`Outside`].
    node: Arc<dyn ExecutionPlan>,
    input: Arc<dyn ExecutionPlan>,
    /// What each of its partitions may take.
    limit_bytes: usize,
}

impl ConfinedExec {
    pub(crate) fn over(node: &Arc<dyn ExecutionPlan>, limit_bytes: usize) -> Result<Self> {
        let children = node.children();
        let [input] = children.as_slice() else { return internal_err!("a confined node has one input") };
        let input = Arc::clone(input);
        let outside = Arc::new(Outside { input: Arc::clone(&input) });
        Ok(Self { node: replace_children_if_necessary(Arc::clone(node), vec![outside])?, input, limit_bytes })
    }
}

impl DisplayAs for ConfinedExec {
    fn fmt_as(&self, format: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.node.fmt_as(format, formatter)
    }
}

impl ExecutionPlan for ConfinedExec {
    fn name(&self) -> &str {
        "ConfinedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.node.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.node.apply_expressions(f)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => {
                let outside = Arc::new(Outside { input: Arc::clone(&input) });
                let node = replace_children_if_necessary(Arc::clone(&self.node), vec![outside])?;
                Ok(Arc::new(Self { node, input, limit_bytes: self.limit_bytes }))
            }
            _ => internal_err!("ConfinedExec has one input"),
        }
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.node.maintains_input_order()
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let whole = Arc::clone(&context.runtime_env().memory_pool);
        let pool = Arc::new(PartOfPool { whole, limit_bytes: self.limit_bytes, used: AtomicUsize::new(0) });
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
        self.node.execute(partition, Arc::new(inside))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.node.metrics()
    }
}

/// The context that the input runs in.
struct OutsideContext(Arc<TaskContext>);

/// The node's input, which runs in the pool of everything else.
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
            None => internal_err!("the input of a confined node runs below it"),
        }
    }
}

/// A part of another pool: what it gives out is the other's, and no more than so much.
#[derive(Debug)]
struct PartOfPool {
    whole: Arc<dyn MemoryPool>,
    limit_bytes: usize,
    used: AtomicUsize,
}

impl fmt::Display for PartOfPool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole.fmt(formatter)
    }
}

impl MemoryPool for PartOfPool {
    fn name(&self) -> &str {
        "part_of_pool"
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
        let (used, limit) = (self.used.load(Ordering::Relaxed), self.limit_bytes);
        if used + additional > limit {
            let name = reservation.consumer().name();
            let left = limit.saturating_sub(used);
            return Err(DataFusionError::ResourcesExhausted(format!(
                "Failed to allocate additional {additional} B for {name} - {left} B remain available of its part"
            )));
        }
        self.whole.try_grow(reservation, additional)?;
        self.used.fetch_add(additional, Ordering::Relaxed);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit_bytes)
    }
}
