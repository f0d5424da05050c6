//! How an executor runs a task: as Ballista does, and beyond that it knows which tasks it works on, compares the checksums
//! of what a task reads, and gives the task's error a type before it becomes text.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::error::BallistaError;
use ballista_core::execution_plans::ShuffleReaderExec;
use ballista_core::serde::protobuf::{RuntimeStatsReport, ShuffleWritePartition, TaskColumnStats, WindowStateReport};
use ballista_executor::execution_engine::{ExecutionEngine, QueryStageExecutor};
use dashmap::DashMap;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::prelude::SessionConfig;
use sluice::optimize::{Gatherer, JoinKeysExec};
use sluice::{Error, ErrorCode};

use super::planning::{Planned, UnknownMetrics, own_context, plan_task};
use super::report::KeyReporter;
use super::shuffle_service::checked;
use super::sums;

/// A task, as driver and executor name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TaskId {
    pub(super) job: String,
    pub(super) stage: usize,
    pub(super) task: usize,
}

/// The tasks that an executor works on, from their start until their outcome has been handed over.
#[derive(Debug, Clone, Default)]
pub(super) struct RunningTasks(Arc<DashMap<TaskId, ()>>);

impl RunningTasks {
    pub(super) fn list(&self) -> Vec<TaskId> {
        self.0.iter().map(|entry| entry.key().clone()).collect()
    }
}

/// Ballista's engine with our tasks.
pub(super) struct TaskEngine<E> {
    pub(super) inner: E,
    pub(super) running: RunningTasks,
    pub(super) checksums: bool,
    pub(super) keys: KeyReporter,
}

impl<E: ExecutionEngine> ExecutionEngine for TaskEngine<E> {
    fn create_query_stage_exec(
        &self,
        job_id: JobId,
        stage_id: usize,
        task_id: usize,
        global_output_partition_ids: Vec<usize>,
        plan: Arc<dyn ExecutionPlan>,
        work_dir: &str,
        config: &SessionConfig,
    ) -> Result<Arc<dyn QueryStageExecutor>> {
        let blocks = if self.checksums { blocks_here(plan.as_ref(), work_dir)? } else { HashSet::new() };
        let id = TaskId { job: job_id.to_string(), stage: stage_id, task: task_id };
        let Planned { plan, unknown } = plan_task(plan, config);
        let gatherers = gatherers(plan.as_ref())?;
        let inner = self.inner.create_query_stage_exec(
            job_id.clone(),
            stage_id,
            task_id,
            global_output_partition_ids,
            plan,
            work_dir,
            config,
        )?;
        self.running.0.insert(id.clone(), ());
        Ok(Arc::new(Task {
            inner,
            job: job_id,
            blocks,
            work_dir: self.checksums.then(|| work_dir.to_string()),
            _listed: Listed { id: id.clone(), running: self.running.clone() },
            id,
            stage_id,
            unknown,
            gatherers,
            keys: self.keys.clone(),
        }))
    }
}

/// Takes its task off the list when the last holder of the task lets go, however the task ended.
struct Listed {
    id: TaskId,
    running: RunningTasks,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.running.0.remove(&self.id);
    }
}

struct Task {
    inner: Arc<dyn QueryStageExecutor>,
    id: TaskId,
    job: JobId,
    stage_id: usize,
    /// What the task reads from this machine's disk without the shuffle service: files and partitions in them.
    blocks: HashSet<(PathBuf, usize)>,
    /// Absent where no checksums are kept.
    work_dir: Option<String>,
    unknown: UnknownMetrics,
    /// Nodes that gather keys for filters of other stages.
    gatherers: Vec<Gatherer>,
    keys: KeyReporter,
    _listed: Listed,
}

impl Task {
    async fn run(&self, task_id: usize, context: Arc<TaskContext>) -> Result<Vec<ShuffleWritePartition>> {
        self.check_blocks().await?;
        let written = match self.inner.execute_query_stage(task_id, own_context(&context)).await {
            Ok(written) => written,
            Err(error) => {
                // Rows that were damaged after the look at them may show as any error.
                self.check_blocks().await?;
                return Err(error);
            }
        };
        if !self.gatherers.is_empty() {
            let keys = self.gatherers.iter().map(Gatherer::take).collect();
            self.keys.report(self.id.clone(), keys).await;
        }
        let Some(work_dir) = self.work_dir.clone() else { return Ok(written) };
        let (job, stage) = (self.job.clone(), self.stage_id);
        let summed =
            tokio::task::spawn_blocking(move || sums::write(&work_dir, &job, stage, &written).map(|()| written));
        match summed.await {
            Ok(outcome) => outcome.map_err(DataFusionError::IoError),
            Err(error) => Err(DataFusionError::ExecutionJoin(Box::new(error))),
        }
    }
}

impl Task {
    async fn check_blocks(&self) -> Result<()> {
        for (path, partition) in &self.blocks {
            checked(path.clone(), *partition).await.map_err(|error| lost("this executor", &error.to_string()))?;
        }
        Ok(())
    }
}

#[async_trait]
impl QueryStageExecutor for Task {
    async fn execute_query_stage(
        &self,
        task_id: usize,
        context: Arc<TaskContext>,
    ) -> Result<Vec<ShuffleWritePartition>> {
        self.run(task_id, context).await.map_err(typed)
    }

    fn collect_plan_metrics(&self) -> Vec<MetricsSet> {
        self.unknown.without(self.inner.collect_plan_metrics())
    }

    fn collect_runtime_stats_reports(&self) -> Vec<RuntimeStatsReport> {
        self.inner.collect_runtime_stats_reports()
    }

    fn collect_window_state_reports(&self) -> Result<Vec<WindowStateReport>> {
        self.inner.collect_window_state_reports()
    }

    fn collect_column_stats(&self) -> Vec<TaskColumnStats> {
        self.inner.collect_column_stats()
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

/// The blocks that the plan's readers will open themselves, because they lie in this work folder.
fn blocks_here(plan: &dyn ExecutionPlan, work_dir: &str) -> Result<HashSet<(PathBuf, usize)>> {
    let mut blocks = HashSet::new();
    let mut look = |node: &dyn ExecutionPlan| -> Result<()> {
        let Some(reader) = node.downcast_ref::<ShuffleReaderExec>() else { return Ok(()) };
        for location in reader.partition.iter().flatten() {
            let path = location.path(work_dir)?;
            if Path::new(&path).exists() {
                blocks.insert((path, location.partition_id.partition_id));
            }
        }
        Ok(())
    };
    visit(plan, &mut look)?;
    Ok(blocks)
}

/// The nodes of a plan that gather keys.
fn gatherers(plan: &dyn ExecutionPlan) -> Result<Vec<Gatherer>> {
    let mut gatherers = Vec::new();
    visit(plan, &mut |node| {
        gatherers.extend(node.downcast_ref::<JoinKeysExec>().map(JoinKeysExec::gatherer));
        Ok(())
    })?;
    Ok(gatherers)
}

fn visit(node: &dyn ExecutionPlan, look: &mut impl FnMut(&dyn ExecutionPlan) -> Result<()>) -> Result<()> {
    look(node)?;
    node.children().into_iter().try_for_each(|child| visit(child.as_ref(), look))
}

/// The task's error with its type, which the text that Ballista makes of it keeps.
///
/// Ballista would make a lost block anew by running the stage before again, and its adaptive planner cannot: it has
/// forgotten that stage, and the job would hang. So a lost block is an error as others are, and the driver runs the whole
/// job again. Errors of a disk or a network stay as they are, because Ballista runs their task again.
fn typed(error: DataFusionError) -> DataFusionError {
    if let Some(BallistaError::FetchFailed(executor, _, _, why)) = fetch_failure(&error) {
        return lost(&format!("executor {executor}"), why);
    }
    match error.find_root() {
        DataFusionError::IoError(cause) if !is_full(cause) => error,
        _ => Error::from(error).into(),
    }
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

fn fetch_failure(error: &DataFusionError) -> Option<&BallistaError> {
    let causes = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
    causes
        .filter_map(|cause| cause.downcast_ref::<BallistaError>())
        .find(|cause| matches!(cause, BallistaError::FetchFailed(..)))
}

/// Rows of another stage that are not to be had; `place` has them.
fn lost(place: &str, why: &str) -> DataFusionError {
    let message = if why.contains("damaged") {
        format!("rows between two stages were damaged on the disk of {place}")
    } else {
        format!("rows between two stages could not be fetched from {place}")
    };
    tracing::warn!(place, why, "a block of rows is lost");
    Error::new(ErrorCode::ShuffleLost, message)
        .hint("look at that executor's log, disk and network; the same statement may succeed")
        .into()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn code(error: &DataFusionError) -> Option<ErrorCode> {
        match error {
            DataFusionError::External(error) => error.downcast_ref::<Error>().map(Error::code),
            _ => None,
        }
    }

    #[test]
    fn a_lost_block_is_told_from_other_errors_of_the_network() {
        let gone = || BallistaError::FetchFailed("e1".into(), 2, 3, "connection refused".into()).into_datafusion();
        assert_eq!(code(&typed(gone())), Some(ErrorCode::ShuffleLost));
        assert_eq!(
            code(&typed(DataFusionError::Shared(Arc::new(gone())).context("build side"))),
            Some(ErrorCode::ShuffleLost)
        );
        let broken = DataFusionError::IoError(io::Error::from(io::ErrorKind::ConnectionReset));
        assert!(matches!(typed(broken), DataFusionError::IoError(_)), "Ballista runs its task again");
    }

    #[test]
    fn errors_have_their_types_before_they_become_text() {
        let full = DataFusionError::IoError(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(code(&typed(full)), Some(ErrorCode::DiskFull));
        let divided = datafusion::arrow::error::ArrowError::DivideByZero;
        assert_eq!(code(&typed(DataFusionError::ArrowError(Box::new(divided), None))), Some(ErrorCode::Evaluation));
        // As the driver reads it.
        let memory = DataFusionError::ResourcesExhausted("Failed to allocate additional 8.0 KB for Sort[0]".into());
        let text = format!("{:?}", BallistaError::from(typed(memory)));
        let read = Error::from_task_text(&format!("Task failed due to runtime execution error: {text}"));
        assert_eq!(read.code(), ErrorCode::MemoryExhausted);
        assert_eq!(read.message(), "failed to allocate additional 8.0 KB for Sort[0]");
        assert!(read.hint_text().unwrap().contains("sluice.memory.limit"));
    }

    #[test]
    fn a_task_is_listed_until_its_last_holder_lets_go() {
        let running = RunningTasks::default();
        let id = TaskId { job: "j".into(), stage: 1, task: 2 };
        running.0.insert(id.clone(), ());
        let listed = Listed { id: id.clone(), running: running.clone() };
        assert_eq!(running.list(), vec![id]);
        drop(listed);
        assert_eq!(running.list(), vec![]);
    }
}
