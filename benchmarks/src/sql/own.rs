//! Runs queries on a session, and finds what they spilled and shuffled.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::physical_plan::{ExecutionPlan, collect};
use futures::TryStreamExt;
use sluice::{Error, ErrorCode, ExecuteOptions, Result, Session};

use super::Query;
use crate::rows::RowSet;

/// A statement that has not ended by then never will.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3600);

/// The rows of a query and how long it took, all its statements together.
pub(super) struct Answer {
    pub(super) seconds: f64,
    pub(super) rows: u64,
    /// Bytes that operators wrote to disk for want of memory.
    pub(super) spilled_bytes: u64,
    /// Bytes that stages wrote for other stages; nothing in one process.
    pub(super) shuffled_bytes: Option<u64>,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Answer {
    /// The rows in the form in which engines are compared.
    pub(super) fn row_set(&self) -> Result<RowSet> {
        RowSet::new(&self.schema, &self.batches).map_err(|error| {
            Error::new(ErrorCode::Internal, format!("the rows cannot be compared: {error}")).caused_by(error)
        })
    }
}

/// Runs a query to its end. What it set up is taken away even if it fails.
pub(super) async fn run(session: &Session, query: &Query) -> Result<Answer> {
    let start = Instant::now();
    for statement in &query.setup {
        in_time(rows(session, statement)).await?;
    }
    let answer = in_time(rows(session, &query.select)).await;
    for statement in &query.cleanup {
        let cleaned = in_time(rows(session, statement)).await;
        if answer.is_ok() {
            cleaned?;
        }
    }
    let mut answer = answer?;
    answer.seconds = start.elapsed().as_secs_f64();
    Ok(answer)
}

async fn rows(session: &Session, statement: &str) -> Result<Answer> {
    if session.url().is_some() {
        return rows_of_job(session, statement).await;
    }
    let frame = session.sql(statement).await?;
    let schema = frame.schema().inner().clone();
    let context = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await?;
    let batches = collect(Arc::clone(&plan), context).await?;
    Ok(Answer {
        seconds: 0.0,
        rows: count(&batches),
        spilled_bytes: spilled(plan.as_ref()),
        shuffled_bytes: None,
        schema,
        batches,
    })
}

async fn rows_of_job(session: &Session, statement: &str) -> Result<Answer> {
    let execution = session.execute(statement, ExecuteOptions::default()).await?;
    let batches: Vec<RecordBatch> = execution.stream.try_collect().await?;
    // A plan that reads no tables is no job.
    let stages = match &execution.job_id {
        Some(id) => session.job(id).await?.stages,
        None => Vec::new(),
    };
    let last = stages.iter().map(|stage| stage.id).max();
    Ok(Answer {
        seconds: 0.0,
        rows: count(&batches),
        spilled_bytes: stages.iter().map(|stage| stage.spilled_bytes).sum(),
        shuffled_bytes: Some(stages.iter().filter(|stage| Some(stage.id) != last).map(|stage| stage.bytes).sum()),
        schema: execution.schema,
        batches,
    })
}

async fn in_time(rows: impl Future<Output = Result<Answer>>) -> Result<Answer> {
    tokio::time::timeout(STATEMENT_TIMEOUT, rows).await.unwrap_or_else(|_| {
        let message = format!("the statement did not end within {} s", STATEMENT_TIMEOUT.as_secs());
        Err(Error::new(ErrorCode::Cancelled, message))
    })
}

fn count(batches: &[RecordBatch]) -> u64 {
    batches.iter().map(|batch| batch.num_rows() as u64).sum()
}

fn spilled(plan: &dyn ExecutionPlan) -> u64 {
    let own = plan.metrics().and_then(|metrics| metrics.spilled_bytes()).unwrap_or(0) as u64;
    own + plan.children().into_iter().map(|child| spilled(child.as_ref())).sum::<u64>()
}
