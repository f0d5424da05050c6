//! `EXPLAIN ANALYZE` on the cluster: runs the query, throws its rows away, and shows every stage with the metrics of
//! its tasks together, and how evenly rows and time were spread.

use std::fmt::Write;
use std::sync::Arc;

use ballista_scheduler::display::format_stage_metrics;
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use ballista_scheduler::state::execution_stage::ExecutionStage;
use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Analyze, LogicalPlan};
use datafusion::physical_plan::displayable;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use sluice::plan::note_row;
use sluice::session::{LocalRunner, Runner, report_row};
use sluice::{Result, stream};

use super::runner::ClusterRunner;
use super::{driver_tables, progress, scalar_subqueries};

/// Two rows: `Plan with Metrics` with the stages as text, and `Exchanges` with the spread of rows, bytes and time.
pub(crate) async fn analyze(
    runner: &ClusterRunner,
    context: &SessionContext,
    analyze: Analyze,
) -> Result<SendableRecordBatchStream> {
    let plan = scalar_subqueries::inline(runner, context, analyze.input.as_ref().clone()).await?;
    let plan = driver_tables::collect(context, plan).await?;
    if !driver_tables::reads_tables(&plan)? {
        return LocalRunner.run(context, LogicalPlan::Analyze(analyze)).await;
    }
    let schema = Arc::clone(analyze.schema.inner());
    let runner = runner.clone();
    let context = context.clone();
    let output = Arc::clone(&schema);
    Ok(stream::produce(output, move |mut sink| async move {
        let rows_schema = Arc::clone(plan.schema().inner());
        let (done, finished) = tokio::sync::oneshot::channel();
        let running = runner.clone();
        let mut rows = stream::produce(Arc::clone(&rows_schema), move |rows| async move {
            let id = running.run_until_done(&context, &plan, &rows_schema, rows).await?;
            // The reader below waits for it.
            let _ = done.send(id);
            Ok(())
        });
        let mut count = 0;
        while let Some(batch) = rows.next().await {
            count += batch?.num_rows();
        }
        let (text, report) = match finished.await {
            Ok(Some(id)) => runner.cluster().with_graph(&id, describe).await.unwrap_or_default(),
            Ok(None) | Err(_) => Default::default(),
        };
        let text = format!("{text}rows: {count}");
        let columns: Vec<Arc<dyn datafusion::arrow::array::Array>> =
            vec![Arc::new(StringArray::from(vec!["Plan with Metrics"])), Arc::new(StringArray::from(vec![text]))];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(DataFusionError::from)?;
        sink.send(batch).await;
        if let Some(batch) = report_row(Arc::clone(&schema), &report)? {
            sink.send(batch).await;
        }
        let notes: Vec<String> = runner.job().skew().iter().map(ToString::to_string).collect();
        if !notes.is_empty() {
            sink.send(note_row(&schema, &notes.join("\n"))?).await;
        }
        Ok(())
    }))
}

/// The stages, and how they spread their rows over partitions and their time over tasks.
fn describe(graph: &ExecutionGraphBox) -> (String, String) {
    let mut stages: Vec<(&usize, &ExecutionStage)> = graph.stages().iter().collect();
    stages.sort_by_key(|(id, _)| **id);
    let mut text = String::new();
    for (id, stage) in stages {
        let plan = match stage {
            ExecutionStage::Successful(stage) => format_stage_metrics(stage.plan.as_ref(), &stage.stage_metrics),
            other => displayable(other.plan()).indent(false).to_string(),
        };
        let tasks = stage.task_infos().map_or(0, <[_]>::len);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "stage {id}: {}, {tasks} tasks\n{plan}", stage.variant_name().to_lowercase());
    }
    let mut report = String::new();
    for stage in progress::read(graph, &[]).1 {
        let title = format!("stage {}", stage.id);
        if let Some(exchange) = &stage.exchange {
            report.push_str(&exchange.describe(&title));
        }
        if stage.task_ms.count > 0 {
            let _ = writeln!(report, "{title}: {} tasks\n  ms:    {}", stage.task_ms.count, stage.task_ms);
        }
    }
    (text, report)
}
