//! Remembers the keys that a join holds.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::TryStreamExt;

use super::set::{Keys, NumberSet};

/// Passes the rows of a join's held side on, and makes the set of their keys when it has seen them all.
///
/// It has no metrics of its own: a driver tells the sets of a task's nodes by their order, and does not know of it.
#[derive(Debug)]
pub(super) struct HeldKeysExec {
    input: Arc<dyn ExecutionPlan>,
    column: usize,
    keys: Arc<Keys>,
}

impl HeldKeysExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, column: usize, keys: Arc<Keys>) -> Self {
        Self { input, column, keys }
    }
}

impl DisplayAs for HeldKeysExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "HeldKeysExec: key={}@{}", self.schema().field(self.column).name(), self.column)
    }
}

impl ExecutionPlan for HeldKeysExec {
    fn name(&self) -> &str {
        "HeldKeysExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, self.column, Arc::clone(&self.keys)))),
            _ => internal_err!("HeldKeysExec has one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        // Those of a run before are not this one's.
        self.keys.forget();
        let reading = Reading {
            memory: MemoryConsumer::new("HeldKeysExec").register(context.memory_pool()),
            rows: self.input.execute(partition, context)?,
            column: self.column,
            seen: Vec::new(),
            keys: Arc::clone(&self.keys),
        };
        let stream = futures::stream::try_unfold(reading, |mut reading| async move {
            let Some(batch) = reading.rows.try_next().await? else {
                reading.finish()?;
                return Ok(None);
            };
            // The join holds the batch anyway.
            reading.seen.push(Arc::clone(batch.column(reading.column)));
            Ok(Some((batch, reading)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream)))
    }
}

struct Reading {
    rows: SendableRecordBatchStream,
    column: usize,
    seen: Vec<ArrayRef>,
    keys: Arc<Keys>,
    memory: MemoryReservation,
}

impl Reading {
    /// Makes the set, if there is memory for it.
    fn finish(self) -> Result<()> {
        if let Some(set) = NumberSet::of(&self.seen)?
            && self.memory.try_grow(set.bytes()).is_ok()
        {
            self.keys.put(set, self.memory);
        }
        Ok(())
    }
}
