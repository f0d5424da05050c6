//! A session whose statements run on a driver elsewhere: the client's half of the job service.

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::DFSchemaRef;
use futures::StreamExt;
use sluice_proto::job_service_client::JobServiceClient;
use sluice_proto::{self as proto, execute_reply, execute_request, prepare_request, remote_leaf};
use tokio::sync::watch;
use tonic::transport::{Channel, Endpoint};

use super::prepared::ReadRequest;
use super::remote::decode_df_schema;
use super::types::{ExecuteOptions, Execution, JobInfo, Progress, StatementKind};
use crate::error::{Error, ErrorCode, Result};
use crate::ipc::{self, PieceDecoder};
use crate::stream;

/// How long a scheduler may take to answer the first call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A dead connection is noticed after this long without an answer to a ping.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The connection of one session to its driver.
#[derive(Debug, Clone)]
pub(crate) struct DriverClient {
    service: JobServiceClient<Channel>,
    session_id: String,
    url: String,
    _open: Arc<OpenSession>,
}

/// Tells the driver that the session is over, once neither the session nor a frame of it is left.
#[derive(Debug)]
struct OpenSession {
    service: JobServiceClient<Channel>,
    id: String,
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut service = self.service.clone();
        let request = proto::CloseSessionRequest { session_id: std::mem::take(&mut self.id) };
        // A drop cannot wait, and a driver that does not hear of it forgets an idle session by itself.
        runtime.spawn(async move { service.close_session(request).await });
    }
}

/// What the driver says of a statement before it runs.
pub(crate) struct PreparedRemotely {
    pub(crate) kind: StatementKind,
    pub(crate) schema: DFSchemaRef,
}

impl DriverClient {
    /// Connects to `sluice://host:port` and opens a session with the given settings.
    pub(crate) async fn connect(url: &str, settings: &[(String, String)], message_limit_bytes: usize) -> Result<Self> {
        let address = address(url)?;
        let unreachable = |error: tonic::transport::Error| {
            Error::new(ErrorCode::Unreachable, format!("no scheduler answers at {url}"))
                .hint("start one with `sluice scheduler`, or check --master and the port")
                .caused_by(error)
        };
        let channel = Endpoint::from_shared(address)
            .map_err(unreachable)?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .tcp_nodelay(true)
            .connect()
            .await
            .map_err(unreachable)?;
        let mut service = JobServiceClient::new(channel)
            .max_decoding_message_size(message_limit_bytes)
            .max_encoding_message_size(message_limit_bytes);
        let settings = settings.iter().map(|(key, value)| proto::Setting { key: key.clone(), value: value.clone() });
        let request = proto::OpenSessionRequest {
            client_version: env!("CARGO_PKG_VERSION").to_string(),
            settings: settings.collect(),
        };
        let reply = service.open_session(request).await.map_err(Error::from_status)?.into_inner();
        let open = Arc::new(OpenSession { service: service.clone(), id: reply.session_id.clone() });
        Ok(Self { service, session_id: reply.session_id, url: url.to_string(), _open: open })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Ends the session on the driver, with its temporary tables. Statements after it fail.
    pub(crate) async fn close(&self) -> Result<()> {
        let request = proto::CloseSessionRequest { session_id: self.session_id.clone() };
        self.service.clone().close_session(request).await.map_err(Error::from_status)?;
        Ok(())
    }

    /// Resolves and plans one statement on the driver.
    pub(crate) async fn prepare(&self, source: remote_leaf::Source) -> Result<PreparedRemotely> {
        let source = match source {
            remote_leaf::Source::Sql(sql) => prepare_request::Source::Sql(sql),
            remote_leaf::Source::Read(read) => prepare_request::Source::Read(read),
            remote_leaf::Source::Rows(_) => {
                return Err(Error::new(ErrorCode::Internal, "rows are not a statement to prepare"));
            }
        };
        let request = proto::PrepareRequest { session_id: self.session_id.clone(), source: Some(source) };
        let reply = self.service.clone().prepare(request).await.map_err(Error::from_status)?.into_inner();
        Ok(PreparedRemotely { kind: reply.kind().into(), schema: decode_df_schema(&reply.schema)? })
    }

    /// Registers files under a name in the session.
    pub(crate) async fn register_files(&self, request: ReadRequest) -> Result<()> {
        self.prepare(remote_leaf::Source::Read(request.into())).await.map(drop)
    }

    /// Runs a statement or a plan; the rows come as the executors put them out.
    pub(crate) async fn execute(
        &self,
        statement: execute_request::Statement,
        options: ExecuteOptions,
    ) -> Result<Execution> {
        let request = proto::ExecuteRequest {
            session_id: self.session_id.clone(),
            statement: Some(statement),
            job_name: options.job_name.unwrap_or_default(),
            detach: options.detach,
            queue: options.queue.unwrap_or_default(),
        };
        let mut replies = self.service.clone().execute(request).await.map_err(Error::from_status)?.into_inner();
        let (progress_sender, progress) = watch::channel(Progress::default());
        let mut job_id = None;
        let mut kind = StatementKind::Query;
        // The first piece of rows holds the schema and comes as soon as the statement is planned.
        let first = loop {
            match replies.message().await.map_err(Error::from_status)?.and_then(|message| message.reply) {
                Some(execute_reply::Reply::Started(started)) => {
                    kind = started.kind().into();
                    job_id = Some(started.job_id).filter(|id| !id.is_empty());
                }
                Some(execute_reply::Reply::Progress(update)) => {
                    progress_sender.send_replace(update.into());
                }
                Some(execute_reply::Reply::Rows(piece)) => break piece,
                Some(execute_reply::Reply::Finished(_)) | None => {
                    return Err(Error::new(ErrorCode::Internal, "the scheduler ended the job without a schema"));
                }
            }
        };
        let schema = ipc::decode_schema(&first)?;
        let mut decoder = PieceDecoder::default();
        let mut batches = decoder.decode(first.into()).map_err(datafusion::error::DataFusionError::from)?;
        let stream = stream::produce(Arc::clone(&schema), move |mut sink| async move {
            loop {
                for batch in batches.drain(..) {
                    sink.send(batch).await;
                }
                let message = replies.message().await.map_err(Error::from_status)?;
                let Some(message) = message else {
                    return Err(Error::new(ErrorCode::Unreachable, "the scheduler closed the connection mid-way"));
                };
                match message.reply {
                    Some(execute_reply::Reply::Rows(piece)) => {
                        batches = decoder.decode(piece.into()).map_err(datafusion::error::DataFusionError::from)?;
                    }
                    Some(execute_reply::Reply::Progress(update)) => {
                        progress_sender.send_replace(update.into());
                    }
                    Some(execute_reply::Reply::Finished(_)) => return Ok(()),
                    Some(execute_reply::Reply::Started(_)) | None => {}
                }
            }
        });
        Ok(Execution { job_id, kind, schema, stream, progress })
    }

    /// Plans a whole script on the driver without running it.
    pub(crate) async fn check_script(&self, text: &str) -> Result<()> {
        let request = proto::CheckScriptRequest { session_id: self.session_id.clone(), text: text.to_string() };
        self.service.clone().check_script(request).await.map_err(Error::from_status)?;
        Ok(())
    }

    /// Keeps the client's rows under a name in the session, in bounded pieces.
    pub(crate) async fn register_batches(
        &self,
        name: &str,
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
        piece_bytes: usize,
    ) -> Result<()> {
        let mut encoder = ipc::PieceEncoder::try_new(&schema, piece_bytes)?;
        let mut pieces = vec![encoder.take()];
        for batch in &batches {
            for slice in encoder.slices(batch) {
                pieces.push(encoder.encode(&slice)?);
            }
        }
        pieces.push(encoder.finish()?);
        let session_id = self.session_id.clone();
        let name = name.to_string();
        let requests = futures::stream::iter(pieces).map(move |rows| proto::RegisterBatchesRequest {
            session_id: session_id.clone(),
            name: name.clone(),
            rows: rows.into(),
        });
        self.service.clone().register_batches(requests).await.map_err(Error::from_status)?;
        Ok(())
    }

    /// Forgets a temporary table; says whether there was one.
    pub(crate) async fn deregister_table(&self, name: &str) -> Result<bool> {
        let request = proto::DeregisterTableRequest { session_id: self.session_id.clone(), name: name.to_string() };
        Ok(self.service.clone().deregister_table(request).await.map_err(Error::from_status)?.into_inner().existed)
    }

    pub(crate) async fn jobs(&self) -> Result<Vec<JobInfo>> {
        let reply = self.service.clone().list_jobs(proto::ListJobsRequest {}).await.map_err(Error::from_status)?;
        Ok(reply.into_inner().jobs.into_iter().map(JobInfo::from).collect())
    }

    pub(crate) async fn job(&self, id: &str) -> Result<JobInfo> {
        let request = proto::GetJobRequest { job_id: id.to_string() };
        Ok(self.service.clone().get_job(request).await.map_err(Error::from_status)?.into_inner().into())
    }

    pub(crate) async fn kill(&self, id: &str) -> Result<bool> {
        let request = proto::KillJobRequest { job_id: id.to_string() };
        Ok(self.service.clone().kill_job(request).await.map_err(Error::from_status)?.into_inner().was_running)
    }
}

/// `http://host:port` of `sluice://host:port`.
fn address(url: &str) -> Result<String> {
    let rest = url.strip_prefix("sluice://").filter(|rest| {
        rest.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    });
    rest.map(|rest| format!("http://{rest}")).ok_or_else(|| {
        Error::new(ErrorCode::InvalidArgument, format!("`{url}` is not a scheduler's address"))
            .hint("write sluice://host:port, for instance sluice://localhost:50050")
    })
}
