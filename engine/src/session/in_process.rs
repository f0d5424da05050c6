//! Runs a plan in this process once its skewed nodes are rewritten, and says in `EXPLAIN` what was.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Analyze, Explain, LogicalPlan};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use crate::error::{Error, Result};
use crate::skew::{self, SkewNote};

/// The kind of the row of `EXPLAIN` that tells of skewed keys.
const PLAN_TYPE: &str = "skew";

/// Runs the plan with exchanges of `partitions`, where a side of a join up to `broadcast_bytes` is not exchanged.
pub async fn run(
    context: &SessionContext,
    plan: LogicalPlan,
    partitions: usize,
    broadcast_bytes: u64,
) -> Result<SendableRecordBatchStream> {
    let handle = async |plan: &Arc<LogicalPlan>| {
        let handled = skew::handle(context, plan.as_ref().clone(), partitions, broadcast_bytes).await?;
        Ok::<_, Error>((Arc::new(handled.plan), handled.notes))
    };
    let (plan, notes) = match plan {
        LogicalPlan::Explain(explain) => {
            let (plan, notes) = handle(&explain.plan).await?;
            (LogicalPlan::Explain(Explain { plan, ..explain }), notes)
        }
        LogicalPlan::Analyze(analyze) => {
            let (input, notes) = handle(&analyze.input).await?;
            (LogicalPlan::Analyze(Analyze { input, ..analyze }), notes)
        }
        plan => (skew::handle(context, plan, partitions, broadcast_bytes).await?.plan, Vec::new()),
    };
    let rows = DataFrame::new(context.state(), plan).execute_stream().await?;
    if notes.is_empty() {
        return Ok(rows);
    }
    let schema = rows.schema();
    let more = note_rows(&schema, &notes)?;
    let rows = rows.chain(futures::stream::iter([Ok(more)]));
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

/// The row of `EXPLAIN` with some notes.
pub fn note_rows(schema: &SchemaRef, notes: &[SkewNote]) -> Result<RecordBatch> {
    let text: Vec<String> = notes.iter().map(ToString::to_string).collect();
    let columns: Vec<ArrayRef> =
        vec![Arc::new(StringArray::from(vec![PLAN_TYPE])), Arc::new(StringArray::from(vec![text.join("\n")]))];
    Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?)
}
