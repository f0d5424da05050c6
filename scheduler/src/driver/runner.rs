//! Runs a plan on the cluster: chooses partitions, submits, follows, starts again after a lost executor, and streams
//! the rows.
//!
//! A job that loses an executor, or rows between two stages, is started again as a whole. Ballista's adaptive planner forgets the outputs of stages
//! that have ended, so it cannot make lost ones anew; and since rows are read only after a job's success, and writes
//! are committed only by the driver, nobody sees that it ran twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::serde::protobuf::{PartitionLocation, job_status::Status};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use sluice::config::SluiceConfig;
use sluice::partition;
use sluice::plan;
use sluice::profile::EngineProfile;
use sluice::session::{LocalRunner, Runner, StageInfo};
use sluice::skew::SkewScope;
use sluice::stream::{self, RowSink};
use sluice::{Error, ErrorCode, Result};
use tokio::sync::broadcast::error::RecvError;

use super::attendance::{Believed, Watch};
use super::cluster::Cluster;
use super::jobs::Job;
use super::results::{ResultReader, conform};
use super::{driver_tables, explain, inner_limits, partitions, progress, results, scalar_subqueries};
use crate::boundary::BoundaryPlanner;
use crate::executor::job_session_config;

/// How often a running job's progress is read.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// A job that has seen so many stages end without a row, and three more for each node of its plan, is one whose planning
/// does not end: no node needs more stages than that (a join two inputs and itself).
const SPARE_EMPTY_STAGES: usize = 100;

/// When memory ran out, only joins whose smaller side is at most so large (a partition of it, or all where it is sent to
/// every task) still hold it in memory. Others sort both sides, which spills.
const LARGEST_HELD_SIDE_BYTES: u64 = 4 << 20;

/// What a partition may count on then, whatever the executors' pools.
const LITTLE_MEMORY_BYTES: usize = 32 << 20;

/// A join's side is measured before the other is exchanged where the other has so many times its bytes.
const MEASURED_SIDE_TIMES: &str = "3";

/// And where it is expected to take no more than so many times what may be sent whole.
const MOST_OVER_LIMIT: &str = "32";

/// Files of a table up to so many bytes are not cut.
const WHOLE_TABLE_BYTES: usize = 4 << 20;

/// What passes when the job is run again.
const LOSSES: [ErrorCode; 2] = [ErrorCode::ExecutorLost, ErrorCode::ShuffleLost];

/// Which joins an attempt may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joins {
    /// Those that hold one side in memory, up to the limits of the settings.
    AnyThatFits,
    /// Those that hold nothing large.
    ThatSpill,
}

/// Runs the plans of one job.
#[derive(Clone)]
pub(crate) struct ClusterRunner {
    profile: Arc<EngineProfile>,
    cluster: Arc<Cluster>,
    reader: Arc<ResultReader>,
    job: Arc<Job>,
}

impl ClusterRunner {
    pub(crate) fn new(
        profile: Arc<EngineProfile>,
        cluster: Arc<Cluster>,
        reader: Arc<ResultReader>,
        job: Arc<Job>,
    ) -> Self {
        Self { profile, cluster, reader, job }
    }
}

#[async_trait]
impl Runner for ClusterRunner {
    async fn run(&self, context: &SessionContext, plan: LogicalPlan) -> Result<SendableRecordBatchStream> {
        let schema: SchemaRef = Arc::clone(plan.schema().inner());
        // Problems of the statement itself show here, with their types, before anything is sent.
        let state = context.state();
        let plan = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})?;
        let plan = match partition::adopt(plan)? {
            shown @ LogicalPlan::Explain(_) => shown,
            other => partition::sketch_ranges(self, context, other).await?,
        };
        let plan = match plan {
            LogicalPlan::Analyze(analyze) => return explain::analyze(self, context, analyze).await,
            LogicalPlan::Explain(_) => {
                // As the job would be planned.
                let cores = self.cluster.cores().await;
                let scope = Arc::new(skew_scope(context, cores));
                let context = self.job_context(context, &plan, cores, Joins::AnyThatFits, &scope).await?;
                return LocalRunner.run(&context, plan).await;
            }
            other => scalar_subqueries::inline(self, context, other).await?,
        };
        let plan = match plan {
            other if driver_tables::runs_only_here(&other)? => return LocalRunner.run(context, other).await,
            other => driver_tables::collect(context, other).await?,
        };
        if !driver_tables::reads_tables(&plan)? {
            return LocalRunner.run(context, plan).await;
        }
        let runner = self.clone();
        let context = context.clone();
        let rows_schema = Arc::clone(&schema);
        Ok(stream::produce(schema, move |sink| async move {
            runner.run_until_done(&context, &plan, &rows_schema, sink).await.map(drop)
        }))
    }
}

impl ClusterRunner {
    /// Runs the plan, again after a lost executor, and sends its rows; gives the id of the run that succeeded, or `None`
    /// where the driver ran the plan itself because its adaptive planning did not end.
    pub(crate) async fn run_until_done(
        &self,
        context: &SessionContext,
        plan: &LogicalPlan,
        schema: &SchemaRef,
        mut sink: RowSink,
    ) -> Result<Option<JobId>> {
        let attempts = SluiceConfig::of(&context.copied_config()).cluster_job_attempts().max(1);
        let mut joins = Joins::AnyThatFits;
        let mut lost = 0;
        for attempt in 1.. {
            self.job.note_attempt(attempt);
            let error = match self.attempt(context, plan, schema, joins, &mut sink).await {
                Ok(id) => return Ok(Some(id)),
                Err(error) => error,
            };
            if error.code() == ErrorCode::MemoryExhausted && joins == Joins::AnyThatFits && sink.sent_rows() == 0 {
                tracing::warn!(job = self.job.id(), %error, "starting the job again with joins that spill");
                joins = Joins::ThatSpill;
                continue;
            }
            if error.code() == ErrorCode::PlanRunaway && sink.sent_rows() == 0 {
                tracing::warn!(job = self.job.id(), %error, "the driver runs the plan itself");
                let mut rows = LocalRunner.run(context, plan.clone()).await?;
                while let Some(batch) = rows.next().await {
                    sink.send(conform(batch?, schema)?).await;
                }
                return Ok(None);
            }
            lost += 1;
            let again = LOSSES.contains(&error.code()) && sink.sent_rows() == 0;
            if !again || lost >= attempts {
                return Err(error);
            }
            tracing::warn!(job = self.job.id(), attempt, %error, "starting the job again");
            tokio::select! {
                () = self.cluster.settle() => {}
                () = self.job.killed() => return Err(killed()),
            }
        }
        Err(Error::new(ErrorCode::Internal, "the job was not started"))
    }

    async fn attempt(
        &self,
        context: &SessionContext,
        plan: &LogicalPlan,
        schema: &SchemaRef,
        joins: Joins,
        sink: &mut RowSink,
    ) -> Result<JobId> {
        let cores = tokio::select! {
            executors = self.cluster.wait_for_executors() => {
                executors?.iter().map(|executor| executor.specification.vcores as usize).sum()
            }
            () = self.job.killed() => return Err(killed()),
        };
        let scope = Arc::new(skew_scope(context, cores));
        let context = Arc::new(self.job_context(context, plan, cores, joins, &scope).await?);
        let empty_stages_at_most = SPARE_EMPTY_STAGES + 3 * count_nodes(plan)?;
        let mut removals = self.cluster.removals();
        let (id, mut statuses) = self.cluster.submit(self.job.name(), context, plan).await?;
        let run = RunGuard { cluster: Arc::clone(&self.cluster), id: Some(id.clone()) };
        let mut tick = tokio::time::interval(PROGRESS_INTERVAL);
        let mut watch = Watch::new(self.cluster.executor_timeout());
        let mut stages = Vec::new();
        let locations = loop {
            tokio::select! {
                status = statuses.recv() => match status.and_then(|status| status.status) {
                    Some(Status::Successful(done)) => break done.partition_location,
                    Some(Status::Failed(failed)) => return Err(Error::from_task_text(&failed.error)),
                    Some(Status::Queued(_) | Status::Running(_)) => {}
                    None => return Err(Error::new(ErrorCode::Internal, "the scheduler forgot the job")),
                },
                removed = removals.recv() => self.check_removal(&id, removed).await?,
                _ = tick.tick() => {
                    self.job.note_skew(scope.take_notes());
                    self.note_progress(&id, &mut stages).await;
                    check_stages(&stages, empty_stages_at_most)?;
                    self.check_tasks(&id, &mut watch).await?;
                }
                () = self.job.killed() => return Err(killed()),
            }
        };
        self.job.note_skew(scope.take_notes());
        self.note_progress(&id, &mut stages).await;
        self.send_rows(locations, schema, sink).await?;
        run.succeeded();
        Ok(id)
    }

    /// An error where the job had to do with the executor that went.
    async fn check_removal(&self, id: &JobId, removed: std::result::Result<String, RecvError>) -> Result<()> {
        let concerned = match &removed {
            Ok(executor) => {
                self.cluster.with_graph(id, |graph| progress::touches(graph, executor)).await.unwrap_or(true)
            }
            // So many went that some were missed.
            Err(RecvError::Lagged(_)) => true,
            Err(RecvError::Closed) => false,
        };
        if !concerned {
            return Ok(());
        }
        Err(Error::new(ErrorCode::ExecutorLost, "an executor died while it ran a part of the job")
            .hint("look at the executor's log for the cause; the job may have used more memory than the machine has"))
    }

    /// An error where a task is waited for that nobody works on.
    async fn check_tasks(&self, id: &JobId, watch: &mut Watch) -> Result<()> {
        // A job that is not planned yet has no tasks.
        let Some(believed) = self.cluster.with_graph(id, Believed::read).await else { return Ok(()) };
        let others_run = !believed.any_runs() && self.cluster.others_run(id).await;
        if watch.check(id, &believed, self.cluster.attendance(), others_run, Instant::now())? {
            self.cluster.nudge().await;
        }
        Ok(())
    }

    /// Tells the job's clients how far it is, and brings its stages up to date.
    async fn note_progress(&self, id: &JobId, stages: &mut Vec<StageInfo>) {
        let read = self.cluster.with_graph(id, |graph| progress::read(graph, stages)).await;
        let Some((progress, read)) = read else { return };
        self.job.update(progress, read.clone());
        *stages = read;
    }

    async fn send_rows(&self, locations: Vec<PartitionLocation>, schema: &SchemaRef, sink: &mut RowSink) -> Result<()> {
        let limit = self.profile.sluice_config().cluster_message_limit_bytes() as usize;
        for location in locations {
            if location.partition_stats.as_ref().is_some_and(|stats| stats.num_rows == 0) {
                continue;
            }
            let mut rows = tokio::select! {
                rows = self.reader.open(location, limit) => rows?,
                () = self.job.killed() => return Err(killed()),
            };
            loop {
                let batch = tokio::select! {
                    batch = rows.next() => batch,
                    () = self.job.killed() => return Err(killed()),
                };
                match batch {
                    Some(Ok(batch)) => sink.send(conform(batch, schema)?).await,
                    Some(Err(error)) => {
                        return Err(results::lost_while_read(error));
                    }
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// The session as the job sees it: its settings, with what Ballista needs and the partitions that the input is worth.
    async fn job_context(
        &self,
        context: &SessionContext,
        plan: &LogicalPlan,
        cores: usize,
        joins: Joins,
        scope: &Arc<SkewScope>,
    ) -> Result<SessionContext> {
        let state = context.state();
        let sluice = SluiceConfig::of(state.config());
        let session_partitions = state.config().target_partitions();
        let partitions = match sluice.execution_partitions() {
            0 if session_partitions == self.profile.session_config().target_partitions() => {
                let bytes = partitions::input_bytes(plan, &state).await?;
                partitions::choose(bytes, cores, sluice.execution_bytes_per_partition())
            }
            0 => session_partitions,
            fixed => usize::try_from(fixed).unwrap_or(usize::MAX),
        };
        // Where the rows of a partition go is said by the number of an exchange's partitions, which is the job's.
        let asked = partition::partitions_asked(plan)?;
        let partitions = partitions.max(asked.unwrap_or(1));
        let mut config = job_session_config(&self.profile);
        let restricted = config.clone();
        for entry in state.config_options().entries() {
            // What Ballista has to have stays as it is; everything else is the user's.
            let key = entry.key.as_str();
            let fixed = RESTRICTED.contains(&key)
                || (key.starts_with("sluice.") && !PLANNING.iter().any(|own| key.starts_with(own)));
            if let (false, Some(value)) = (fixed, &entry.value) {
                let _ = config.options_mut().set(&entry.key, value);
            }
        }
        for key in RESTRICTED {
            let value = restricted.options().entries().into_iter().find(|entry| entry.key == *key);
            if let Some(value) = value.and_then(|entry| entry.value) {
                config.options_mut().set(key, &value)?;
            }
        }
        let options = config.options_mut();
        // Planned once, an outer join under an aggregate gives a row for each partition.
        options.set("ballista.planner.adaptive.enabled", "true")?;
        // A side that may be small enough to be sent whole runs first where the other is so much larger that exchanging it
        // would cost more than the round of tasks.
        options.set("ballista.optimizer.stage_build_side", "true")?;
        options.set("ballista.optimizer.stage_build_side_min_probe_ratio", MEASURED_SIDE_TIMES)?;
        options.set("ballista.optimizer.stage_build_side_max_estimate_multiple", MOST_OVER_LIMIT)?;
        let most = if joins == Joins::ThatSpill { LARGEST_HELD_SIDE_BYTES } else { u64::MAX };
        let (broadcast, build) = (sluice.cluster_broadcast_limit_bytes(), sluice.cluster_hash_join_limit_bytes());
        options.set("ballista.optimizer.broadcast_join_threshold_bytes", &broadcast.min(most).to_string())?;
        options.set("ballista.optimizer.hash_join_max_build_partition_bytes", &build.min(most).to_string())?;
        if joins == Joins::ThatSpill {
            options.execution.target_partitions = partitions.max(1);
            plan::spill_early(options, LITTLE_MEMORY_BYTES.saturating_mul(options.execution.target_partitions));
        }
        // A small table in one piece is read by each task that joins with it, without a stage of its own.
        if options.optimizer.repartition_file_min_size == ConfigOptions::default().optimizer.repartition_file_min_size {
            options.optimizer.repartition_file_min_size = WHOLE_TABLE_BYTES;
        }
        if inner_limits::has_inner_limit(plan)? {
            options.optimizer.repartition_sorts = false;
        }
        if asked.is_some() {
            // Partitions that are merged are not those that were asked for.
            options.set("ballista.planner.coalesce.enabled", "false")?;
        }
        options.set("ballista.shuffle.compression.codec", &sluice.cluster_shuffle_compression())?;
        let config = scope.shared(config.with_target_partitions(partitions.max(1)));
        let planner = Arc::new(BoundaryPlanner::new(Arc::clone(state.query_planner())));
        let state = SessionStateBuilder::new_from_existing(state)
            .with_query_planner(planner)
            .with_session_id(uuid::Uuid::new_v4().to_string())
            .with_config(config)
            .build();
        Ok(SessionContext::new_with_state(state))
    }

    pub(crate) fn job(&self) -> &Job {
        &self.job
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}

/// What the planning of a job has to know of, and tells of, skewed keys.
fn skew_scope(context: &SessionContext, cores: usize) -> SkewScope {
    SkewScope::new(SluiceConfig::of(&context.copied_config()).cluster_broadcast_limit_bytes(), cores)
}

/// The settings of Sluice's that a job's planning reads.
const PLANNING: [&str; 2] = ["sluice.skew.", "sluice.cluster.join_filter_rows"];

/// Settings that a job on Ballista must have one way: the other hangs or fails at the border of two stages.
const RESTRICTED: &[&str] = &[
    "datafusion.optimizer.enable_round_robin_repartition",
    "datafusion.optimizer.enable_physical_uncorrelated_scalar_subquery",
    "datafusion.optimizer.enable_dynamic_filter_pushdown",
    "datafusion.optimizer.enable_join_dynamic_filter_pushdown",
    "datafusion.optimizer.enable_topk_dynamic_filter_pushdown",
    "datafusion.optimizer.enable_aggregate_dynamic_filter_pushdown",
    "datafusion.optimizer.hash_join_single_partition_threshold",
    "datafusion.optimizer.hash_join_single_partition_threshold_rows",
];

/// How many nodes a plan has, subqueries included.
fn count_nodes(plan: &LogicalPlan) -> Result<usize> {
    let mut nodes = 0;
    plan.apply_with_subqueries(|_| {
        nodes += 1;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(nodes)
}

/// An error where adaptive planning adds stages without an end.
fn check_stages(stages: &[StageInfo], empty_at_most: usize) -> Result<()> {
    let empty = stages.iter().filter(|stage| stage.state == "succeeded" && stage.rows == 0).count();
    if empty <= empty_at_most {
        return Ok(());
    }
    Err(Error::new(ErrorCode::PlanRunaway, format!("{empty} stages of the job gave no rows"))
        .hint("run the statement embedded, with --master 'local[*]'"))
}

fn killed() -> Error {
    Error::new(ErrorCode::Cancelled, "the job was killed")
}

/// Cancels a run that is dropped before its end, and frees the files of one that succeeded.
struct RunGuard {
    cluster: Arc<Cluster>,
    id: Option<JobId>,
}

impl RunGuard {
    fn succeeded(mut self) {
        if let Some(id) = self.id.take() {
            self.cluster.forget(&id);
        }
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            let cluster = Arc::clone(&self.cluster);
            // A drop cannot wait; the task ends by itself once the cancellation is posted.
            tokio::spawn(async move { cluster.cancel(&id).await });
        }
    }
}
