//! The embeddable session: SQL in, DataFusion's own `DataFrame` out, in this process or on a cluster.

mod analyze;
mod builder;
mod check;
mod client;
mod ddl;
mod engine;
mod exchange;
mod files;
mod launch;
mod prepared;
mod reads;
pub mod remote;
mod remote_plan;
mod runner;
mod settings;
mod spread;
mod types;
mod wire;
mod writes;

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use sluice_proto::{execute_request, remote_leaf};
use tokio::sync::watch;

use crate::error::{Error, ErrorCode, Result};
use client::DriverClient;
use launch::LaunchedCluster;

pub use analyze::report_row;
pub use builder::SessionBuilder;
pub use engine::EngineSession;
pub use exchange::{ExchangeInfo, TaskTime};
pub use launch::program;
pub use prepared::{Prepared, ReadRequest};
pub use reads::{CsvOptions, JsonOptions, ParquetOptions, ReadOptions};
pub use runner::{LocalRunner, Runner};
pub use spread::{Spread, makespan};
pub use types::{ExecuteOptions, Execution, JobInfo, Progress, StageInfo, StatementKind};

/// A session with Sluice. Cheap to clone; clones share settings, tables and connection.
///
/// ```no_run
/// # async fn example() -> sluice::Result<()> {
/// let session = sluice::Session::local().await?;
/// let frame = session.sql("SELECT 1 AS a").await?;
/// frame.show().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Session(Arc<Inner>);

enum Inner {
    Local(Arc<EngineSession>),
    Remote(Box<Remote>),
}

/// The client's half of a session on a driver.
struct Remote {
    client: DriverClient,
    /// Builds plans and never optimises them.
    context: SessionContext,
    piece_bytes: usize,
    /// Ends with the session where the session started it.
    _cluster: Option<LaunchedCluster>,
}

impl Session {
    /// A session in this process, with the catalog in the user's data folder.
    pub async fn local() -> Result<Self> {
        Self::builder().master("local[*]").build().await
    }

    /// A session on a driver and `executors` executors, all processes of the `sluice` binary on this machine, which
    /// end with the session.
    pub async fn local_cluster(executors: usize) -> Result<Self> {
        Self::builder().master(format!("local-cluster[{executors}]")).build().await
    }

    /// A session on the driver at `sluice://host:port`.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::builder().master(url).build().await
    }

    /// A session with settings.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    fn remote(&self) -> Option<&Remote> {
        match self.0.as_ref() {
            Inner::Remote(remote) => Some(remote),
            Inner::Local(_) => None,
        }
    }

    /// The driver's address, for a session that has one.
    pub fn url(&self) -> Option<&str> {
        self.remote().map(|remote| remote.client.url())
    }

    /// The most bytes that operators have held at a time since the session was opened, if it runs in this process.
    pub fn memory_peak_bytes(&self) -> Option<u64> {
        match self.0.as_ref() {
            Inner::Local(session) => session.profile().memory_peak_bytes(),
            Inner::Remote(_) => None,
        }
    }

    /// Plans one statement. A query runs when the frame is collected; anything else has run on return, and the frame
    /// holds its result, which for a write is one row with the number of rows written.
    pub async fn sql(&self, sql: &str) -> Result<DataFrame> {
        match self.0.as_ref() {
            Inner::Local(session) => {
                let prepared = session.prepare(sql).await?;
                local_frame(session, prepared).await
            }
            Inner::Remote(remote) => {
                let source = remote_leaf::Source::Sql(sql.to_string());
                let prepared = remote.client.prepare(source.clone()).await?;
                if matches!(prepared.kind, StatementKind::Query | StatementKind::Explain) {
                    let plan = remote::leaf_plan(source, prepared.schema);
                    return Ok(DataFrame::new(remote.context.state(), plan));
                }
                let execution = self.execute(sql, ExecuteOptions::default()).await?;
                let schema = Arc::clone(&execution.schema);
                let batches = execution.stream.try_collect().await?;
                Ok(DataFrame::new(remote.context.state(), engine::rows_plan(schema, batches)?))
            }
        }
    }

    /// Runs one statement: rows as a stream, with progress. This is what the command line does.
    pub async fn execute(&self, sql: &str, options: ExecuteOptions) -> Result<Execution> {
        match self.0.as_ref() {
            Inner::Local(session) => {
                if options.detach {
                    return Err(Error::new(ErrorCode::InvalidArgument, "a local session cannot detach a job")
                        .hint("submit it to a cluster with --master sluice://host:port"));
                }
                let prepared = session.prepare(sql).await?;
                let kind = prepared.kind();
                let started = Arc::clone(session).start(prepared, &LocalRunner).await;
                let stream = started.map_err(|error| session.explain_error(error, sql))?;
                let (sender, progress) = watch::channel(Progress::default());
                let stream = counting(stream, sender);
                Ok(Execution { job_id: None, kind, schema: stream.schema(), stream, progress })
            }
            Inner::Remote(remote) => {
                remote.client.execute(execute_request::Statement::Sql(sql.to_string()), options).await
            }
        }
    }

    /// The table or view of that name.
    pub async fn table(&self, name: &str) -> Result<DataFrame> {
        let quoted: Vec<String> =
            name.split('.').map(|part| format!("\"{}\"", part.trim_matches('"').replace('"', "\"\""))).collect();
        self.sql(&format!("SELECT * FROM {}", quoted.join("."))).await
    }

    /// The rows of one Parquet file, or of a folder of them.
    pub async fn read_parquet(&self, path: &str, options: ParquetOptions) -> Result<DataFrame> {
        self.read(options.request(path)).await
    }

    /// The rows of one CSV file, or of a folder of them.
    pub async fn read_csv(&self, path: &str, options: CsvOptions) -> Result<DataFrame> {
        self.read(options.request(path)).await
    }

    /// The rows of one file with a JSON object a line, or of a folder of them.
    pub async fn read_json(&self, path: &str, options: JsonOptions) -> Result<DataFrame> {
        self.read(options.request(path)).await
    }

    /// Registers Parquet files under a name, for as long as the session lives.
    pub async fn register_parquet(&self, name: &str, path: &str) -> Result<()> {
        self.register(name, ParquetOptions::default().request(path)).await
    }

    /// Registers CSV files under a name, for as long as the session lives.
    pub async fn register_csv(&self, name: &str, path: &str, options: CsvOptions) -> Result<()> {
        self.register(name, options.request(path)).await
    }

    /// Registers files with a JSON object a line under a name, for as long as the session lives.
    pub async fn register_json(&self, name: &str, path: &str, options: JsonOptions) -> Result<()> {
        self.register(name, options.request(path)).await
    }

    /// Keeps rows under a name, for as long as the session lives. There must be at least one batch, for its columns.
    pub async fn register_batches(&self, name: &str, batches: Vec<RecordBatch>) -> Result<()> {
        let Some(schema) = batches.first().map(RecordBatch::schema) else {
            return Err(Error::new(ErrorCode::InvalidArgument, "a table needs at least one batch, for its columns")
                .hint("an empty batch with the schema will do"));
        };
        match self.0.as_ref() {
            Inner::Local(session) => session.register_batches(name, schema, batches).await,
            Inner::Remote(remote) => remote.client.register_batches(name, schema, batches, remote.piece_bytes).await,
        }
    }

    /// Forgets a temporary table; says whether there was one.
    pub async fn deregister_table(&self, name: &str) -> Result<bool> {
        match self.0.as_ref() {
            Inner::Local(session) => session.deregister_table(name).await,
            Inner::Remote(remote) => remote.client.deregister_table(name).await,
        }
    }

    /// Parses, resolves and plans a script; reads no data and changes nothing. Places count from the script's start.
    pub async fn check_script(&self, text: &str) -> Result<()> {
        match self.0.as_ref() {
            Inner::Local(session) => session.check_script(text).await,
            Inner::Remote(remote) => remote.client.check_script(text).await,
        }
    }

    /// The cluster's jobs, the newest first.
    pub async fn jobs(&self) -> Result<Vec<JobInfo>> {
        self.cluster_client()?.jobs().await
    }

    /// One job of the cluster.
    pub async fn job(&self, id: &str) -> Result<JobInfo> {
        self.cluster_client()?.job(id).await
    }

    /// Stops a job of the cluster; says whether it was running.
    pub async fn kill(&self, id: &str) -> Result<bool> {
        self.cluster_client()?.kill(id).await
    }

    /// Ends the session on its driver, with its temporary tables and prepared statements; does nothing for a local one. A
    /// session that is dropped ends too, but nobody waits for it.
    pub async fn close(self) -> Result<()> {
        match self.remote() {
            Some(remote) if remote._cluster.is_none() => remote.client.close().await,
            _ => Ok(()),
        }
    }

    fn cluster_client(&self) -> Result<&DriverClient> {
        self.remote().map(|remote| &remote.client).ok_or_else(|| {
            Error::new(ErrorCode::InvalidArgument, "a local session has no jobs to list or stop")
                .hint("name the cluster with --master sluice://host:port")
        })
    }

    async fn read(&self, request: ReadRequest) -> Result<DataFrame> {
        match self.0.as_ref() {
            Inner::Local(session) => {
                let prepared = session.prepare_read(request).await?;
                local_frame(session, prepared).await
            }
            Inner::Remote(remote) => {
                let source = remote_leaf::Source::Read(request.into());
                let prepared = remote.client.prepare(source.clone()).await?;
                Ok(DataFrame::new(remote.context.state(), remote::leaf_plan(source, prepared.schema)))
            }
        }
    }

    async fn register(&self, name: &str, mut request: ReadRequest) -> Result<()> {
        request.register_as = Some(name.to_string());
        match self.0.as_ref() {
            Inner::Local(session) => {
                let prepared = session.prepare_read(request).await?;
                Arc::clone(session).start(prepared, &LocalRunner).await.map(drop)
            }
            Inner::Remote(remote) => remote.client.register_files(request).await,
        }
    }
}

async fn local_frame(session: &Arc<EngineSession>, prepared: Prepared) -> Result<DataFrame> {
    let plan: LogicalPlan = match prepared {
        Prepared::Query(plan) => plan,
        other => {
            let rows = Arc::clone(session).start(other, &LocalRunner).await?;
            let schema = rows.schema();
            engine::rows_plan(schema, rows.try_collect().await?)?
        }
    };
    Ok(DataFrame::new(session.context().state(), plan))
}

/// The same rows; every batch moves the progress on.
fn counting(
    stream: datafusion::execution::SendableRecordBatchStream,
    progress: watch::Sender<Progress>,
) -> datafusion::execution::SendableRecordBatchStream {
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    let schema = stream.schema();
    let rows = stream.inspect_ok(move |batch| {
        progress.send_modify(|progress| progress.rows += batch.num_rows() as u64);
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}
