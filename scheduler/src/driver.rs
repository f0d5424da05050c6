//! The driver role: sessions, catalog and planning for clients on one side, Ballista's scheduler for executors on the
//! other, in one process and on one port.

mod attendance;
mod cluster;
mod driver_tables;
mod exchanges;
mod explain;
mod inner_limits;
mod jobs;
mod join_filters;
mod partitions;
mod placement;
mod progress;
mod results;
mod runner;
mod scalar_subqueries;
mod service;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use ballista_core::serde::protobuf::scheduler_grpc_server::SchedulerGrpcServer;
use sluice::partition::PartitionerRegistry;
use sluice::profile::{EngineProfile, Role};
use sluice::{Error, ErrorCode, Result};
use sluice_proto::job_service_server::JobServiceServer;

use tonic::transport::server::TcpIncoming;

use crate::net::listen;
use crate::ready::ReadySignal;

pub(crate) use cluster::Cluster;
use jobs::JobRegistry;
use service::DriverService;
use sessions::Sessions;

/// How long calls under way may go on once the driver is told to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// How to run a driver.
#[derive(Debug, Clone, Default)]
pub struct SchedulerOptions {
    /// The address to listen on.
    pub bind: String,
    /// The port for clients and executors; 0 takes a free one.
    pub port: u16,
    /// The name that others reach this machine by, where it is not the address it listens on.
    pub external_host: Option<String>,
    /// Settings, the weakest first.
    pub conf: Vec<(String, String)>,
    /// The partitioners that the driver knows.
    pub partitioners: Arc<PartitionerRegistry>,
    /// Whether to say when the driver serves.
    pub ready: ReadySignal,
}

/// A driver that listens and does not serve yet.
pub(crate) struct Driver {
    listener: std::net::TcpListener,
    url: String,
    message_limit_bytes: usize,
    service: DriverService,
    cluster: Arc<Cluster>,
}

impl Driver {
    /// Takes the port, opens the catalog and starts Ballista's scheduler.
    pub(crate) async fn start(options: &SchedulerOptions) -> Result<Self> {
        let listener = listen(&options.bind, options.port)?;
        let port = listener.local_addr().map(|address| address.port()).unwrap_or(options.port);
        let host = options.external_host.clone().unwrap_or_else(|| match options.bind.as_str() {
            "0.0.0.0" | "::" => "localhost".to_string(),
            other => other.to_string(),
        });
        let profile = EngineProfile::new(Role::Driver, &options.conf)?;
        let profile = Arc::new(profile.with_partitioners(Arc::clone(&options.partitioners)));
        let message_limit_bytes = profile.sluice_config().cluster_message_limit_bytes() as usize;
        let cluster = Arc::new(Cluster::start(&profile, &options.bind, &host, port).await?);
        let jobs = Arc::new(JobRegistry::default());
        let sessions = Sessions::open(Arc::clone(&profile)).await?;
        let service = DriverService::new(profile, sessions, jobs, Arc::clone(&cluster));
        Ok(Self { listener, url: format!("sluice://{host}:{port}"), message_limit_bytes, service, cluster })
    }

    /// `sluice://host:port`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Ballista's side of the driver.
    pub(crate) fn cluster(&self) -> Arc<Cluster> {
        Arc::clone(&self.cluster)
    }

    /// Serves clients and executors until `stop` is done.
    pub(crate) async fn serve(self, stop: impl Future<Output = ()> + Send) -> Result<()> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorCode::Internal, format!("the driver stopped serving: {error}"))
        };
        self.listener.set_nonblocking(true).map_err(|error| failed(error.into()))?;
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(|error| failed(error.into()))?;
        // Set here, because the server's own option does not reach sockets that it has not bound: without it every
        // short answer waits 40 ms for the other side's acknowledgement.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let limit = self.message_limit_bytes;
        let (stopping, mut stopped) = tokio::sync::watch::channel(false);
        let serving = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(Duration::from_secs(10)))
            .add_service(
                JobServiceServer::new(self.service).max_decoding_message_size(limit).max_encoding_message_size(limit),
            )
            .add_service(
                SchedulerGrpcServer::new(self.cluster.server())
                    .max_decoding_message_size(limit)
                    .max_encoding_message_size(limit),
            )
            .serve_with_incoming_shutdown(incoming, async move {
                stop.await;
                stopping.send_replace(true);
            });
        let patience = async move {
            // Fails only where serving has ended already.
            let _ = stopped.wait_for(|stopping| *stopping).await;
            tokio::time::sleep(STOP_PATIENCE).await;
        };
        tokio::select! {
            outcome = serving => outcome.map_err(|error| failed(error.into())),
            () = patience => Ok(()),
        }
    }
}

/// Runs a driver until it is told to stop.
pub async fn run_scheduler(options: SchedulerOptions) -> Result<()> {
    let driver = Driver::start(&options).await?;
    options.ready.driver(driver.url());
    driver.serve(stop_signal()).await
}

/// Done when the process is asked to stop.
pub(crate) async fn stop_signal() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
