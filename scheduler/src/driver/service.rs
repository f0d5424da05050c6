//! The driver's half of the job service: what clients call.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt};
use sluice::ipc::{self, PieceDecoder, PieceEncoder};
use sluice::profile::EngineProfile;
use sluice::session::remote::encode_df_schema;
use sluice::session::{EngineSession, LocalRunner, Prepared, ReadRequest, StatementKind};
use sluice::{Error, ErrorCode, Result};
use sluice_proto::job_service_server::JobService;
use sluice_proto::{self as proto, execute_reply, execute_request, prepare_request};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::cluster::Cluster;
use super::jobs::{Job, JobRegistry, JobState};
use super::results::ResultReader;
use super::runner::ClusterRunner;
use super::sessions::Sessions;

/// Replies that may wait for a slow client; each is a piece at most.
const REPLIES_KEPT: usize = 4;
/// How often a client hears how far its job is.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// The job service of one driver.
pub(crate) struct DriverService {
    profile: Arc<EngineProfile>,
    sessions: Sessions,
    jobs: Arc<JobRegistry>,
    cluster: Arc<Cluster>,
    reader: Arc<ResultReader>,
}

type Replies = Pin<Box<dyn Stream<Item = Result<proto::ExecuteReply, Status>> + Send>>;

impl DriverService {
    pub(crate) fn new(
        profile: Arc<EngineProfile>,
        sessions: Sessions,
        jobs: Arc<JobRegistry>,
        cluster: Arc<Cluster>,
    ) -> Self {
        let reader = Arc::new(ResultReader::new(cluster.executor_timeout()));
        Self { profile, sessions, jobs, cluster, reader }
    }

    async fn start(&self, request: proto::ExecuteRequest) -> Result<Replies> {
        let session = self.sessions.get(&request.session_id)?;
        let (prepared, text) = match request.statement {
            Some(execute_request::Statement::Sql(sql)) => (session.prepare(&sql).await?, sql),
            Some(execute_request::Statement::Plan(plan)) => {
                (session.prepare_plan(&plan).await?, "a DataFrame".to_string())
            }
            None => return Err(Error::new(ErrorCode::InvalidArgument, "the request holds no statement")),
        };
        let kind = prepared.kind();
        if matches!(kind, StatementKind::Set) || prepared.changes_catalog_only() {
            let rows = session.start(prepared, &LocalRunner).await?;
            return Ok(self.reply(Run { job: None, kind, rows, detach: false }));
        }
        let job = self.jobs.start(&request.job_name, &request.queue, &text);
        let runner = ClusterRunner::new(
            Arc::clone(&self.profile),
            Arc::clone(&self.cluster),
            Arc::clone(&self.reader),
            Arc::clone(&job),
        );
        match Arc::clone(&session).start(prepared, &runner).await {
            Ok(rows) => Ok(self.reply(Run { job: Some(job), kind, rows, detach: request.detach })),
            Err(error) => {
                job.end(JobState::Failed(error.to_string()));
                Err(error)
            }
        }
    }

    /// Runs the job in a task of its own, so that a detached one outlives its client.
    fn reply(&self, run: Run) -> Replies {
        let (sender, receiver) = mpsc::channel(REPLIES_KEPT);
        let piece_bytes =
            usize::try_from(self.profile.sluice_config().results_piece_size_bytes()).unwrap_or(usize::MAX);
        tokio::spawn(run.drive(sender, piece_bytes));
        Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver))
    }
}

/// One statement on its way to its client.
struct Run {
    job: Option<Arc<Job>>,
    kind: StatementKind,
    rows: SendableRecordBatchStream,
    detach: bool,
}

type ReplySender = mpsc::Sender<Result<proto::ExecuteReply, Status>>;

impl Run {
    async fn drive(mut self, replies: ReplySender, piece_bytes: usize) {
        let outcome = self.send_all(&replies, piece_bytes).await;
        if let Some(job) = &self.job {
            job.end(match &outcome {
                Ok(_) => JobState::Succeeded,
                Err(error) if error.code() == ErrorCode::Cancelled || job.is_killed() => JobState::Cancelled,
                Err(error) => JobState::Failed(error.to_string()),
            });
        }
        let last = match outcome {
            Ok(rows) => Ok(reply(execute_reply::Reply::Finished(proto::Finished { rows }))),
            Err(error) => Err(Status::from(error)),
        };
        // A client that has gone needs no last word.
        let _ = replies.send(last).await;
    }

    async fn send_all(&mut self, replies: &ReplySender, piece_bytes: usize) -> Result<u64> {
        let job_id = self.job.as_ref().map(|job| job.id().to_string()).unwrap_or_default();
        let started = proto::Started { job_id, kind: proto::StatementKind::from(self.kind).into() };
        send(replies, self.detach, execute_reply::Reply::Started(started)).await?;
        let schema: SchemaRef = self.rows.schema();
        let mut encoder = PieceEncoder::try_new(&schema, piece_bytes)?;
        let head = encoder.take();
        send(replies, self.detach, execute_reply::Reply::Rows(head.into())).await?;
        let mut total = 0_u64;
        let mut tick = tokio::time::interval(PROGRESS_INTERVAL);
        let mut progress = self.job.as_ref().map(|job| job.progress());
        loop {
            let batch = tokio::select! {
                batch = self.rows.next() => batch,
                () = killed(self.job.as_deref()) => return Err(Error::new(ErrorCode::Cancelled, "the job was killed")),
                () = replies.closed(), if !self.detach => return Err(Error::new(ErrorCode::Cancelled, "the client went away")),
                _ = tick.tick() => {
                    let changed = progress.as_mut().filter(|progress| progress.has_changed().unwrap_or(false));
                    if let Some(progress) = changed {
                        let message = (&*progress.borrow_and_update()).into();
                        send(replies, self.detach, execute_reply::Reply::Progress(message)).await?;
                    }
                    continue;
                }
            };
            let Some(batch) = batch else { break };
            let batch = batch?;
            total += batch.num_rows() as u64;
            for slice in encoder.slices(&batch) {
                let piece = encoder.encode(&slice)?;
                send(replies, self.detach, execute_reply::Reply::Rows(piece.into())).await?;
            }
        }
        let tail = encoder.finish()?;
        send(replies, self.detach, execute_reply::Reply::Rows(tail.into())).await?;
        Ok(total)
    }
}

/// Done when somebody killed the job; never for a statement that is none.
async fn killed(job: Option<&Job>) {
    match job {
        Some(job) => job.killed().await,
        None => std::future::pending().await,
    }
}

/// Hands a reply on. A detached job goes on without its client; any other ends.
async fn send(replies: &ReplySender, detach: bool, message: execute_reply::Reply) -> Result<()> {
    match replies.send(Ok(reply(message))).await {
        Ok(()) => Ok(()),
        Err(_) if detach => Ok(()),
        Err(_) => Err(Error::new(ErrorCode::Cancelled, "the client went away")),
    }
}

fn reply(message: execute_reply::Reply) -> proto::ExecuteReply {
    proto::ExecuteReply { reply: Some(message) }
}

async fn prepare(session: &EngineSession, request: proto::PrepareRequest) -> Result<Prepared> {
    match request.source {
        Some(prepare_request::Source::Sql(sql)) => session.prepare(&sql).await,
        Some(prepare_request::Source::Read(read)) => session.prepare_read(ReadRequest::from(read)).await,
        None => Err(Error::new(ErrorCode::InvalidArgument, "the request holds no statement")),
    }
}

#[tonic::async_trait]
impl JobService for DriverService {
    async fn open_session(
        &self,
        request: Request<proto::OpenSessionRequest>,
    ) -> Result<Response<proto::OpenSessionReply>, Status> {
        let request = request.into_inner();
        let server_version = env!("CARGO_PKG_VERSION").to_string();
        if request.client_version != server_version {
            let error = Error::new(
                ErrorCode::VersionMismatch,
                format!("the client is of version {}, the scheduler of {server_version}", request.client_version),
            );
            return Err(error.hint("install the same version on both sides").into());
        }
        let settings: Vec<(String, String)> =
            request.settings.into_iter().map(|setting| (setting.key, setting.value)).collect();
        let session_id = self.sessions.create(&settings)?;
        let message_limit_bytes = self.profile.sluice_config().cluster_message_limit_bytes();
        Ok(Response::new(proto::OpenSessionReply { session_id, server_version, message_limit_bytes }))
    }

    async fn close_session(
        &self,
        request: Request<proto::CloseSessionRequest>,
    ) -> Result<Response<proto::CloseSessionReply>, Status> {
        self.sessions.close(&request.into_inner().session_id);
        Ok(Response::new(proto::CloseSessionReply {}))
    }

    async fn prepare(&self, request: Request<proto::PrepareRequest>) -> Result<Response<proto::PrepareReply>, Status> {
        let request = request.into_inner();
        let session = self.sessions.get(&request.session_id)?;
        let prepared = prepare(&session, request).await?;
        let kind = proto::StatementKind::from(prepared.kind());
        let schema = encode_df_schema(&prepared.schema()).map_err(Error::from)?;
        if matches!(prepared, Prepared::Register(_)) {
            session.start(prepared, &LocalRunner).await?;
        }
        Ok(Response::new(proto::PrepareReply { kind: kind.into(), schema }))
    }

    type ExecuteStream = Replies;

    async fn execute(&self, request: Request<proto::ExecuteRequest>) -> Result<Response<Replies>, Status> {
        Ok(Response::new(self.start(request.into_inner()).await?))
    }

    async fn check_script(
        &self,
        request: Request<proto::CheckScriptRequest>,
    ) -> Result<Response<proto::CheckScriptReply>, Status> {
        let request = request.into_inner();
        self.sessions.get(&request.session_id)?.check_script(&request.text).await?;
        Ok(Response::new(proto::CheckScriptReply {}))
    }

    async fn register_batches(
        &self,
        request: Request<Streaming<proto::RegisterBatchesRequest>>,
    ) -> Result<Response<proto::RegisterBatchesReply>, Status> {
        let mut requests = request.into_inner();
        let mut decoder = PieceDecoder::default();
        let (mut target, mut schema, mut batches) = (None, None, Vec::new());
        while let Some(message) = requests.message().await? {
            if schema.is_none() {
                schema = Some(ipc::decode_schema(&message.rows).map_err(Error::from)?);
                target = Some((self.sessions.get(&message.session_id)?, message.name));
            }
            let decoded = decoder.decode(message.rows.into());
            batches.extend(decoded.map_err(|error| Error::from(datafusion::error::DataFusionError::from(error)))?);
        }
        let (Some((session, name)), Some(schema)) = (target, schema) else {
            return Err(Error::new(ErrorCode::InvalidArgument, "the request holds no rows").into());
        };
        session.register_batches(&name, schema, batches).await?;
        Ok(Response::new(proto::RegisterBatchesReply {}))
    }

    async fn deregister_table(
        &self,
        request: Request<proto::DeregisterTableRequest>,
    ) -> Result<Response<proto::DeregisterTableReply>, Status> {
        let request = request.into_inner();
        let existed = self.sessions.get(&request.session_id)?.deregister_table(&request.name).await?;
        Ok(Response::new(proto::DeregisterTableReply { existed }))
    }

    async fn list_jobs(
        &self,
        _request: Request<proto::ListJobsRequest>,
    ) -> Result<Response<proto::ListJobsReply>, Status> {
        let jobs = self.jobs.list().into_iter().map(proto::JobInfo::from).collect();
        Ok(Response::new(proto::ListJobsReply { jobs }))
    }

    async fn get_job(&self, request: Request<proto::GetJobRequest>) -> Result<Response<proto::JobInfo>, Status> {
        Ok(Response::new(self.jobs.get(&request.into_inner().job_id)?.info().into()))
    }

    async fn kill_job(&self, request: Request<proto::KillJobRequest>) -> Result<Response<proto::KillJobReply>, Status> {
        let was_running = self.jobs.get(&request.into_inner().job_id)?.kill();
        Ok(Response::new(proto::KillJobReply { was_running }))
    }

    async fn report_tasks(
        &self,
        request: Request<proto::ReportTasksRequest>,
    ) -> Result<Response<proto::ReportTasksReply>, Status> {
        let request = request.into_inner();
        let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let tasks = request.tasks.into_iter();
        let tasks = tasks.map(|task| (task.job_id, number(task.stage_id), number(task.task_id))).collect();
        self.cluster.attendance().note(request.executor_id, tasks);
        Ok(Response::new(proto::ReportTasksReply {}))
    }

    async fn report_keys(
        &self,
        request: Request<proto::ReportKeysRequest>,
    ) -> Result<Response<proto::ReportKeysReply>, Status> {
        let request = request.into_inner();
        let task = request.task.unwrap_or_default();
        let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let name = (number(task.stage_id), number(task.task_id));
        for keys in request.keys {
            let hashes = (!keys.incomplete).then_some(keys.hashes);
            self.cluster.keys().note(task.job_id.clone(), name, keys.filter, hashes);
        }
        Ok(Response::new(proto::ReportKeysReply {}))
    }

    async fn cluster_info(
        &self,
        _request: Request<proto::ClusterInfoRequest>,
    ) -> Result<Response<proto::ClusterInfoReply>, Status> {
        let executors = self.cluster.executors().await.into_iter().map(|executor| proto::ExecutorInfo {
            id: executor.id,
            host: executor.host,
            port: u32::from(executor.port),
            cores: executor.specification.vcores,
        });
        let version = env!("CARGO_PKG_VERSION").to_string();
        Ok(Response::new(proto::ClusterInfoReply { version, executors: executors.collect() }))
    }
}
