//! A node that has a part of the memory pool to itself.
//!
//! Operators of DataFusion that can spill, or hand on early what they have, do so when their pool gives them no more. Here a
//! node sees a pool that gives it no more than its part; what it takes is taken from the whole pool as well. What the node
//! reads from is not confined with it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::arrow::array::{Array, MutableArrayData, RecordBatch, make_array};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

/// A node with one input that has a part of the memory pool to itself.
#[derive(Debug)]
pub(crate) struct ConfinedExec {
    /// The node, over [`Outside`].
    node: Arc<dyn ExecutionPlan>,
    input: Arc<dyn ExecutionPlan>,
    /// What each of its partitions may take.
    limit_bytes: usize,
    /// Whether its batches share no memory.
    apart: bool,
}

impl ConfinedExec {
    pub(crate) fn over(node: &Arc<dyn ExecutionPlan>, limit_bytes: usize) -> Result<Self> {
        let children = node.children();
        let [input] = children.as_slice() else { return internal_err!("a confined node has one input") };
        let input = Arc::clone(input);
        let outside = Arc::new(Outside { input: Arc::clone(&input) });
        Ok(Self {
            node: replace_children_if_necessary(Arc::clone(node), vec![outside])?,
            input,
            limit_bytes,
            apart: false,
        })
    }

    /// The same with batches that share no memory, for whoever counts the memory of each by itself.
    pub(super) fn with_batches_apart(self) -> Self {
        Self { apart: true, ..self }
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
                Ok(Arc::new(Self { node, input, limit_bytes: self.limit_bytes, apart: self.apart }))
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
        let rows = self.node.execute(partition, Arc::new(inside))?;
        if !self.apart {
            return Ok(rows);
        }
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows.map(|batch| apart(batch?)))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.node.metrics()
    }
}

/// The batch in memory of its own, where it is a small part of what its memory holds.
fn apart(batch: RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(|column| {
        let data = column.to_data();
        if data.get_slice_memory_size()? * 2 >= column.get_array_memory_size() {
            return Ok(Arc::clone(column));
        }
        let mut copied = MutableArrayData::new(vec![&data], false, column.len());
        copied.try_extend(0, 0, column.len())?;
        Ok(make_array(copied.freeze()))
    });
    Ok(RecordBatch::try_new(batch.schema(), columns.collect::<Result<_>>()?)?)
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

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    #[test]
    fn a_slice_gets_memory_of_its_own() {
        let numbers = Arc::new(Int64Array::from_iter((0..10_000).map(|at| (at % 3 > 0).then_some(at)))) as ArrayRef;
        let texts = Arc::new(StringArray::from_iter_values((0..10_000).map(|at| at.to_string()))) as ArrayRef;
        let whole = RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("t", texts, false)]).unwrap();
        let slice = whole.slice(5_000, 100);
        let own = apart(slice.clone()).unwrap();
        assert_eq!(own, slice);
        assert!(own.get_array_memory_size() < 10_000, "{} bytes", own.get_array_memory_size());
        assert!(slice.get_array_memory_size() > 100_000);
    }
}
