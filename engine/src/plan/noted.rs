//! A plan for `EXPLAIN` with a row more, on the keys that were found skewed.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

use crate::skew::SkewNote;

/// The kind of the row, beside `logical_plan` and `physical_plan`.
const PLAN_TYPE: &str = "skew";

/// The rows of another plan, then that of the notes.
#[derive(Debug)]
pub(super) struct NotedExec {
    input: Arc<dyn ExecutionPlan>,
    text: String,
}

impl NotedExec {
    /// The plan with the notes, where there are any.
    pub(super) fn over(input: Arc<dyn ExecutionPlan>, notes: &[SkewNote]) -> Arc<dyn ExecutionPlan> {
        if notes.is_empty() {
            return input;
        }
        let text: Vec<String> = notes.iter().map(ToString::to_string).collect();
        Arc::new(Self { input, text: text.join("\n") })
    }
}

/// The row that tells of skewed keys.
pub fn note_row(schema: &datafusion::arrow::datatypes::SchemaRef, text: &str) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> =
        vec![Arc::new(StringArray::from(vec![PLAN_TYPE])), Arc::new(StringArray::from(vec![text]))];
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

impl DisplayAs for NotedExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("NotedExec")
    }
}

impl ExecutionPlan for NotedExec {
    fn name(&self) -> &str {
        "NotedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self { input, text: self.text.clone() })),
            _ => internal_err!("NotedExec has one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, context)?;
        let schema = rows.schema();
        let note = note_row(&schema, &self.text);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows.chain(futures::stream::iter([note])))))
    }
}
