//! Ballista's scheduler inside the driver: submission without a network hop, executors as they come and go.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ballista_core::JobId;
use ballista_core::serde::BallistaLogicalExtensionCodec;
use ballista_core::serde::protobuf::{
    ExecutorStoppedParams, JobStatus, UpdateTaskStatusParams, scheduler_grpc_server::SchedulerGrpc,
};
use ballista_core::serde::scheduler::ExecutorMetadata;
use ballista_scheduler::cluster::{BallistaCluster, ClusterStateEvent, JobState};
use ballista_scheduler::config::{SchedulerConfig, TaskDistributionPolicy};
use ballista_scheduler::scheduler_process::create_scheduler;
use ballista_scheduler::scheduler_server::SchedulerServer;
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use futures::StreamExt;
use sluice::profile::EngineProfile;
use sluice::{Error, ErrorCode, Result};
use tokio::sync::{broadcast, mpsc};

use super::attendance::{Attendance, Believed};
use super::join_filters::Keys;
use super::placement::LargestFirst;
use crate::codec::SluicePhysicalCodec;
use crate::executor::job_session_config;
use crate::net::patient;

/// Ballista's server with our plan messages.
pub(crate) type Server = SchedulerServer<LogicalPlanNode, PhysicalPlanNode>;

/// How many removals a slow reader may lag behind before it sees only the newest.
const REMOVALS_KEPT: usize = 64;
/// What the driver may take beyond the timeout to remove a silent executor: it looks every second, whole seconds count, and
/// one that is removed is told so.
const SETTLE_MARGIN: Duration = Duration::from_secs(5);
/// When a cancelled job's files are removed again: a task may have been writing one at the first time.
const REMOVED_AGAIN_AFTER: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(25)];
/// Statuses of one job that may wait; a job has a handful.
const STATUSES_KEPT: usize = 16;

/// The driver's executors and the jobs that run on them.
pub(crate) struct Cluster {
    server: Server,
    job_state: Arc<dyn JobState>,
    removals: broadcast::Sender<String>,
    attendance: Arc<Attendance>,
    keys: Arc<Keys>,
    start_timeout: Duration,
    executor_timeout: Duration,
}

impl Cluster {
    /// Starts the scheduler for executors that will dial `host:port`.
    pub(crate) async fn start(profile: &Arc<EngineProfile>, bind: &str, host: &str, port: u16) -> Result<Self> {
        let settings = profile.sluice_config();
        let message_limit = u32::try_from(settings.cluster_message_limit_bytes()).unwrap_or(u32::MAX);
        let timeout = settings.cluster_executor_timeout();
        let timeout_seconds = timeout.as_secs().max(1);
        let producing = Arc::clone(profile);
        let building = Arc::clone(profile);
        let keys = Arc::new(Keys::default());
        let config = Arc::new(SchedulerConfig {
            external_host: host.to_string(),
            bind_host: bind.to_string(),
            bind_port: port,
            scheduling_policy: ballista_core::config::TaskSchedulingPolicy::PushStaged,
            task_distribution: TaskDistributionPolicy::Custom(Arc::new(LargestFirst::new(Arc::clone(&keys)))),
            finished_job_data_clean_up_interval_seconds: settings.results_retention().as_secs(),
            finished_job_state_clean_up_interval_seconds: settings.results_retention().as_secs(),
            executor_termination_grace_period: 0,
            grpc_server_max_decoding_message_size: message_limit,
            grpc_server_max_encoding_message_size: message_limit,
            executor_timeout_seconds: timeout_seconds,
            expire_dead_executor_interval_seconds: 1,
            no_executors_grace_period_seconds: timeout_seconds,
            override_config_producer: Some(Arc::new(move || job_session_config(&producing))),
            override_create_grpc_client_endpoint: Some(Arc::new(move |endpoint| Ok(patient(endpoint, timeout)))),
            override_session_builder: Some(Arc::new(move |config: SessionConfig| Ok(building.bare_state(config)))),
            override_logical_codec: Some(Arc::new(BallistaLogicalExtensionCodec::default())),
            override_physical_codec: Some(Arc::new(SluicePhysicalCodec::new(profile.partitioners()))),
            ..Default::default()
        });
        let ballista = BallistaCluster::new_from_config(&config).await.map_err(internal)?;
        let job_state = ballista.job_state();
        let server = create_scheduler::<LogicalPlanNode, PhysicalPlanNode>(ballista, config).await.map_err(internal)?;
        let (removals, _) = broadcast::channel(REMOVALS_KEPT);
        let mut events = server.cluster_state_events().await.map_err(internal)?;
        let sender = removals.clone();
        let attendance = Arc::new(Attendance::default());
        let present = Arc::clone(&attendance);
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let ClusterStateEvent::RemovedExecutor { executor_id } = event {
                    present.forget(&executor_id);
                    // Fails only while no job runs, and then nobody needs to know.
                    let _ = sender.send(executor_id);
                }
            }
        });
        let start_timeout = settings.cluster_start_timeout();
        Ok(Self { server, job_state, removals, attendance, keys, start_timeout, executor_timeout: timeout })
    }

    /// The service that executors register with.
    pub(crate) fn server(&self) -> Server {
        self.server.clone()
    }

    /// Ids of executors as they are removed.
    pub(crate) fn removals(&self) -> broadcast::Receiver<String> {
        self.removals.subscribe()
    }

    /// What the executors say they work on.
    pub(crate) fn attendance(&self) -> &Attendance {
        &self.attendance
    }

    /// The keys that tasks have gathered.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How long an executor may be silent.
    pub(crate) fn executor_timeout(&self) -> Duration {
        self.executor_timeout
    }

    /// Whether tasks of other jobs run.
    pub(crate) async fn others_run(&self, id: &JobId) -> bool {
        for (job, info) in self.server.state.task_manager.get_running_job_cache().iter() {
            if job != id && Believed::read(&*info.execution_graph.read().await).any_runs() {
                return true;
            }
        }
        false
    }

    /// Waits until every executor has said that it lives, or was removed for its silence: a job that is started again at
    /// once would meet those that are gone and not missed yet.
    pub(crate) async fn settle(&self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let deadline = tokio::time::Instant::now() + self.executor_timeout + SETTLE_MARGIN;
        while tokio::time::Instant::now() < deadline {
            let states = self.server.state.executor_manager.get_executors_state().await.unwrap_or_default();
            // A heartbeat's time is in whole seconds, so that of the same second may be older.
            if states.iter().all(|(_, beat, _)| beat.is_some_and(|beat| beat.as_secs() > since)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The executors that answer.
    pub(crate) async fn executors(&self) -> Vec<ExecutorMetadata> {
        let states = self.server.state.executor_manager.get_executors_state().await.unwrap_or_default();
        states.into_iter().map(|(metadata, _, _)| metadata).collect()
    }

    /// The cores of the executors that answer.
    pub(crate) async fn cores(&self) -> usize {
        self.executors().await.iter().map(|executor| executor.specification.vcores as usize).sum()
    }

    /// The executors, once there is at least one.
    pub(crate) async fn wait_for_executors(&self) -> Result<Vec<ExecutorMetadata>> {
        let deadline = tokio::time::Instant::now() + self.start_timeout;
        loop {
            let executors = self.executors().await;
            if !executors.is_empty() {
                return Ok(executors);
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(Error::new(ErrorCode::NoExecutors, "the cluster has no executor to run the job")
                    .hint("start one with `sluice executor --scheduler sluice://host:port`"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Submits a plan; its statuses come through the receiver.
    pub(crate) async fn submit(
        &self,
        name: &str,
        context: Arc<SessionContext>,
        plan: &LogicalPlan,
    ) -> Result<(JobId, mpsc::Receiver<JobStatus>)> {
        let (sender, statuses) = mpsc::channel(STATUSES_KEPT);
        let id = self.server.submit_job(name, context, plan, Some(sender)).await.map_err(internal)?;
        Ok((id, statuses))
    }

    /// Stops a job's tasks. Its shuffle files go at once, and once more what a task has written while they went.
    pub(crate) async fn cancel(&self, id: &JobId) {
        if let Err(error) = self.server.cancel_job(id.clone()).await {
            tracing::warn!(%error, job = %id, "the job could not be cancelled");
        }
        for pause in REMOVED_AGAIN_AFTER {
            tokio::time::sleep(pause).await;
            self.forget(id);
        }
    }

    /// Lets the scheduler look for tasks to start. It does so whenever something happens; what it has missed waits for the
    /// next event, and there may be none.
    pub(crate) async fn nudge(&self) {
        for executor in self.executors().await.into_iter().take(1) {
            let nothing = UpdateTaskStatusParams { executor_id: executor.id, task_status: Vec::new() };
            if let Err(error) = SchedulerGrpc::update_task_status(&self.server, tonic::Request::new(nothing)).await {
                tracing::warn!(%error, "the scheduler could not be nudged");
            }
        }
    }

    /// Lets the executors forget a job's files, once its rows have been read.
    pub(crate) fn forget(&self, id: &JobId) {
        self.server.state.executor_manager.clean_up_job_data(id.clone());
    }

    /// The stages of a job, running or ended.
    pub(crate) async fn with_graph<T>(&self, id: &JobId, read: impl FnOnce(&ExecutionGraphBox) -> T) -> Option<T> {
        let running = self.server.state.task_manager.get_running_job_cache();
        if let Some(job) = running.get(id) {
            return Some(read(&*job.execution_graph.read().await));
        }
        let graph = self.job_state.get_execution_graph(id).await.ok()??;
        Some(read(&graph))
    }

    /// Tells the scheduler that an executor's process has ended, so that no timeout has to pass.
    pub(crate) async fn executor_ended(&self, id: &str) {
        let params = ExecutorStoppedParams { executor_id: id.to_string(), reason: "its process has ended".to_string() };
        if let Err(error) = self.server.executor_stopped(tonic::Request::new(params)).await {
            tracing::warn!(%error, executor = id, "the executor could not be removed");
        }
    }
}

pub(crate) fn internal(error: ballista_core::error::BallistaError) -> Error {
    Error::new(ErrorCode::Internal, format!("the cluster's scheduler failed: {error}"))
}
