//! `EXPLAIN ANALYZE` in one process: DataFusion's plan with its metrics, and below it how each exchange spread its rows.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::format::ExplainFormat;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Analyze, LogicalPlan};
use datafusion::physical_plan::analyze::AnalyzeExec;
use datafusion::physical_plan::metrics::MetricValue;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, Partitioning, execute_stream};
use datafusion::prelude::SessionContext;
use futures::{StreamExt, stream};

use super::exchange::ExchangeInfo;
use crate::error::Result;

/// What the row is called that tells of the exchanges.
const TITLE: &str = "Exchanges";

/// Runs the plan and throws its rows away.
pub(super) async fn run(context: &SessionContext, analyze: Analyze) -> Result<SendableRecordBatchStream> {
    let for_people = analyze.format == ExplainFormat::Indent;
    let frame = DataFrame::new(context.state(), LogicalPlan::Analyze(analyze));
    let task = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await?;
    let rows = execute_stream(Arc::clone(&plan), task)?;
    let Some(analyzed) = analyzed(&plan).filter(|_| for_people) else { return Ok(rows) };
    let schema = rows.schema();
    let report_schema = Arc::clone(&schema);
    // Its metrics are complete once the rows before it have come.
    let report = stream::once(async move { exchanges_row(&analyzed, report_schema) });
    let report = report.filter_map(async |row| row.transpose());
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows.chain(report))))
}

/// What is analyzed, which may have notes around it.
fn analyzed(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    match plan.downcast_ref::<AnalyzeExec>() {
        Some(analyze) => Some(Arc::clone(analyze.input())),
        None => plan.children().into_iter().find_map(analyzed),
    }
}

/// The row that tells of the exchanges of a plan that has run, or nothing where it has none.
fn exchanges_row(plan: &Arc<dyn ExecutionPlan>, schema: SchemaRef) -> datafusion::error::Result<Option<RecordBatch>> {
    let mut found = Vec::new();
    collect(plan, &mut found);
    let lines = found.iter().enumerate().map(|(number, exchange)| exchange.describe(&format!("exchange {number}")));
    report_row(schema, &lines.collect::<String>())
}

/// A row of `EXPLAIN ANALYZE` with a report on exchanges, or nothing where the report is empty.
///
/// # Errors
/// Where the schema is not the two columns of text that `EXPLAIN` has.
pub fn report_row(schema: SchemaRef, report: &str) -> datafusion::error::Result<Option<RecordBatch>> {
    if report.is_empty() {
        return Ok(None);
    }
    let columns: Vec<ArrayRef> =
        vec![Arc::new(StringArray::from(vec![TITLE])), Arc::new(StringArray::from(vec![report]))];
    Ok(Some(RecordBatch::try_new(schema, columns)?))
}

/// The hash exchanges of a plan that has run, those that ran first at the front.
fn collect(plan: &Arc<dyn ExecutionPlan>, found: &mut Vec<ExchangeInfo>) {
    for child in plan.children() {
        collect(child, found);
    }
    let Some(exchange) = plan.downcast_ref::<RepartitionExec>() else { return };
    let Partitioning::Hash(keys, count) = exchange.partitioning() else { return };
    let (mut rows, mut bytes) = (vec![0; *count], vec![0; *count]);
    for metric in exchange.metrics().iter().flat_map(|metrics| metrics.iter()) {
        let counts = match metric.value() {
            MetricValue::OutputRows(_) => &mut rows,
            MetricValue::OutputBytes(_) => &mut bytes,
            _ => continue,
        };
        if let Some(count) = metric.partition().and_then(|partition| counts.get_mut(partition)) {
            *count += metric.value().as_usize() as u64;
        }
    }
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    found.push(ExchangeInfo::new(keys.join(", "), rows, bytes));
}
