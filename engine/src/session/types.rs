//! What running a statement gives and takes, whichever way it runs.

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use tokio::sync::watch;

use super::exchange::{ExchangeInfo, TaskTime};
use super::spread::Spread;

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// Gives rows.
    Query,
    /// Gives a plan as rows.
    Explain,
    /// Writes files or tables and gives the number of rows written.
    Write,
    /// Changes the catalog.
    Ddl,
    /// Changes the session.
    Set,
}

/// How to run a statement.
#[derive(Debug, Clone, Default)]
pub struct ExecuteOptions {
    /// The name that `sluice jobs` shows; the statement's first words where absent.
    pub job_name: Option<String>,
    /// Goes on when the client vanishes. Only a cluster can.
    pub detach: bool,
    /// The queue to wait in.
    pub queue: Option<String>,
}

/// How far a job is. Counters only grow within one attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Stages that have ended.
    pub stages_done: u32,
    /// Stages known so far; adaptive planning adds some on the way.
    pub stages_total: u32,
    /// Tasks that have ended.
    pub tasks_done: u32,
    /// Tasks known so far.
    pub tasks_total: u32,
    /// Rows that the stages have put out, or for a local run the rows of the result.
    pub rows: u64,
    /// Bytes that the stages have put out.
    pub bytes: u64,
    /// Bytes that operators have spilled to disk.
    pub spilled_bytes: u64,
}

/// A running statement: rows as they come, and how far it is.
pub struct Execution {
    /// The job's id on a cluster.
    pub job_id: Option<String>,
    /// What the statement does.
    pub kind: StatementKind,
    /// Columns of the rows.
    pub schema: SchemaRef,
    /// The rows. Dropping the stream cancels the job unless it is detached.
    pub stream: SendableRecordBatchStream,
    /// How far the job is.
    pub progress: watch::Receiver<Progress>,
}

/// A job as the driver knows it.
#[derive(Debug, Clone, Default)]
pub struct JobInfo {
    /// The job's id.
    pub id: String,
    /// The name given when it was submitted.
    pub name: String,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// The SQL text, with secrets blotted out.
    pub statement: String,
    /// When it came in, in milliseconds since 1970.
    pub submitted_at_ms: u64,
    /// How long it has run, or ran.
    pub elapsed_ms: u64,
    /// How far it is.
    pub progress: Progress,
    /// Why it failed.
    pub error: Option<String>,
    /// Its stages, in the order of their ids.
    pub stages: Vec<StageInfo>,
    /// The queue it came in by.
    pub queue: String,
    /// How many times it was started: more than one after a lost executor.
    pub attempts: u32,
}

/// One stage of a job.
#[derive(Debug, Clone, Default)]
pub struct StageInfo {
    /// The stage's id within its job.
    pub id: u32,
    /// `waiting`, `running`, `succeeded` or `failed`.
    pub state: String,
    /// Tasks that have ended.
    pub tasks_done: u32,
    /// Tasks known so far.
    pub tasks_total: u32,
    /// Rows put out.
    pub rows: u64,
    /// Bytes put out.
    pub bytes: u64,
    /// Bytes spilled to disk.
    pub spilled_bytes: u64,
    /// Where its rows went, if by the hash of their keys to the stages after it. Known once the stage has ended.
    pub exchange: Option<ExchangeInfo>,
    /// Milliseconds by task, once the stage has ended.
    pub task_ms: Spread,
    /// Each task that succeeded, once the stage has ended. Empty where a job has so many that they are not listed.
    pub task_times: Vec<TaskTime>,
}

impl StageInfo {
    /// Keeps the numbers that stand for all partitions and tasks and drops those of each.
    pub fn without_lists(mut self) -> Self {
        self.exchange = self.exchange.map(ExchangeInfo::without_lists);
        self.task_times.clear();
        self
    }
}
