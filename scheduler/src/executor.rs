//! The executor role: Ballista's executor process, with everything that a plan needs built by the profile.

mod connections;
mod planning;
mod report;
mod shuffle_service;
mod sums;
mod tasks;
mod work_folder;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::extension::SessionConfigExt;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_core::serde::BallistaLogicalExtensionCodec;
use ballista_executor::ArrowFlightServerProvider;
use ballista_executor::execution_engine::DefaultExecutionEngine;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_executor::metrics::ExecutorMetricCollectionPolicy;
use datafusion::prelude::SessionConfig;
use sluice::partition::PartitionerRegistry;
use sluice::profile::{EngineProfile, Role};
use sluice::{Error, ErrorCode, Result};

use crate::codec::SluicePhysicalCodec;
use crate::driver::stop_signal;
use crate::net::{free_port, patient, split_host_port};
use crate::ready::ReadySignal;
use connections::Connections;
use report::KeyReporter;
use tasks::{RunningTasks, TaskEngine};
use work_folder::WorkFolder;

/// How to run an executor.
#[derive(Debug, Clone, Default)]
pub struct ExecutorOptions {
    /// `sluice://host:port` of the driver.
    pub scheduler: String,
    /// The address to listen on.
    pub bind: String,
    /// The port for shuffle data; 0 takes a free one.
    pub port: u16,
    /// The port for tasks; 0 takes a free one.
    pub grpc_port: u16,
    /// The name that others reach this machine by, where it is not the address it listens on.
    pub external_host: Option<String>,
    /// Tasks at a time; all cores where absent.
    pub cores: Option<usize>,
    /// Where shuffle data goes; a folder of the system's temporary one where absent.
    pub work_dir: Option<PathBuf>,
    /// The executor's id; a fresh one where absent.
    pub id: Option<String>,
    /// Settings, the weakest first.
    pub conf: Vec<(String, String)>,
    /// The partitioners that the executor knows.
    pub partitioners: Arc<PartitionerRegistry>,
    /// Whether to say when the executor is ready.
    pub ready: ReadySignal,
}

/// Runs an executor until it is told to stop.
pub async fn run_executor(options: ExecutorOptions) -> Result<()> {
    let settings = EngineProfile::new(Role::Executor, &options.conf)?.sluice_config();
    let (scheduler_host, scheduler_port) = split_host_port(&options.scheduler)?;
    let port = free_port(&options.bind, options.port)?;
    let grpc_port = free_port(&options.bind, options.grpc_port)?;
    let cores = options.cores.unwrap_or_else(available_cores).max(1);
    let configured = options.work_dir.or_else(|| settings.cluster_work_dir().map(PathBuf::from));
    wait_for(&scheduler_host, scheduler_port, settings.cluster_start_timeout()).await?;
    let work_dir = WorkFolder::create(configured)?;
    let mut conf = options.conf.clone();
    if settings.memory_spill_path().is_none() {
        // Spilled rows of an executor that is killed go with its work folder.
        conf.push(("sluice.memory.spill_path".to_string(), work_dir.spill_path()?));
    }
    let profile = EngineProfile::new(Role::Executor, &conf)?.with_partitioners(options.partitioners);
    let message_limit = u32::try_from(settings.cluster_message_limit_bytes()).unwrap_or(u32::MAX);

    let config = job_session_config(&profile);
    let state = profile.bare_state(config.clone());
    let functions = Arc::new(BallistaFunctionRegistry::from(&state));
    let runtime = profile.runtime_env();
    let id = options.id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let heartbeat = Duration::from_secs(settings.cluster_heartbeat().as_secs().max(1));
    let timeout = settings.cluster_executor_timeout();
    let running = RunningTasks::default();
    let pool = Arc::new(Connections::start());
    let checksums = settings.cluster_shuffle_checksums();
    let driver = format!("http://{scheduler_host}:{scheduler_port}");
    let endpoint =
        patient(tonic::transport::Endpoint::from_shared(driver).map_err(unreachable(&options.scheduler))?, timeout);
    let engine = TaskEngine {
        inner: DefaultExecutionEngine::with_client_pool(pool),
        running: running.clone(),
        checksums,
        keys: KeyReporter::new(&endpoint),
    };
    let reports = report::report_for_ever(endpoint, id.clone(), running, heartbeat);
    let process = ExecutorProcessConfig {
        executor_id: id.clone(),
        bind_host: options.bind.clone(),
        // Without a name the driver uses the address that the executor calls from.
        external_host: options.external_host.or_else(|| is_one_address(&options.bind).then(|| options.bind.clone())),
        port,
        grpc_port,
        scheduler_host,
        scheduler_port,
        // Ballista's own waiting never ends: the scheduler is waited for above.
        scheduler_connect_timeout_seconds: 0,
        vcores: cores,
        task_scheduling_policy: TaskSchedulingPolicy::PushStaged,
        work_dir: Some(work_dir.shuffle_path()?),
        grpc_max_decoding_message_size: message_limit,
        grpc_max_encoding_message_size: message_limit,
        executor_heartbeat_interval_seconds: heartbeat.as_secs(),
        metric_collection_policy: ExecutorMetricCollectionPolicy::ProcessOnly,
        memory_pool_size: Some(profile.memory_limit_bytes().unwrap_or(0)),
        override_execution_engine: Some(Arc::new(engine)),
        override_arrow_flight_service: checksums.then(|| checked_service(message_limit)),
        override_create_grpc_client_endpoint: Some(Arc::new(move |endpoint| Ok(patient(endpoint, timeout)))),
        override_function_registry: Some(functions),
        override_runtime_producer: Some(Arc::new(move |_: &SessionConfig| Ok(Arc::clone(&runtime)))),
        override_config_producer: Some(Arc::new(move || config.clone())),
        override_logical_codec: Some(Arc::new(BallistaLogicalExtensionCodec::default())),
        override_physical_codec: Some(Arc::new(SluicePhysicalCodec::new(profile.partitioners()))),
        ..Default::default()
    };
    options.ready.executor(&id);
    let told_to_stop = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&told_to_stop);
    // Beside Ballista, which ends the executor at the same signals, and also for reasons that are nobody's wish.
    let signals = tokio::spawn(async move {
        stop_signal().await;
        noted.store(true, Ordering::Release);
    });
    let outcome = tokio::select! {
        outcome = start_executor_process(Arc::new(process)) => outcome,
        () = reports => Ok(()),
    };
    signals.abort();
    drop(work_dir);
    outcome.map_err(unreachable(&options.scheduler))?;
    if told_to_stop.load(Ordering::Acquire) {
        return Ok(());
    }
    let scheduler = options.scheduler;
    Err(Error::new(
        ErrorCode::Unreachable,
        format!("{scheduler} does not answer any more, or has given this executor up"),
    )
    .hint("start the executor again once the scheduler can be reached"))
}

fn unreachable<E: std::error::Error + Send + Sync + 'static>(scheduler: &str) -> impl Fn(E) -> Error {
    move |error| {
        Error::new(ErrorCode::Unreachable, format!("the executor could not serve {scheduler}"))
            .hint("is the scheduler running, and of the same version?")
            .caused_by(error)
    }
}

/// What serves the shuffle files, once Ballista knows where.
fn checked_service(message_limit: u32) -> Arc<ArrowFlightServerProvider> {
    let limit = usize::try_from(message_limit).unwrap_or(usize::MAX);
    Arc::new(move |work_dir, address, stop, config| shuffle_service::serve(work_dir, address, stop, &config, limit))
}

/// What a job's plan runs under: the profile's configuration and Ballista's section.
pub(crate) fn job_session_config(profile: &EngineProfile) -> SessionConfig {
    let limit = usize::try_from(profile.sluice_config().cluster_message_limit_bytes()).unwrap_or(usize::MAX);
    // The scheduler reads the limit of the tasks that it sends from here, and not from its own settings.
    let timeout = profile.sluice_config().cluster_executor_timeout();
    profile
        .session_config()
        .upgrade_for_ballista()
        .with_ballista_grpc_client_max_message_size(limit)
        .with_ballista_override_create_grpc_client_endpoint(Arc::new(move |endpoint| Ok(patient(endpoint, timeout))))
}

/// Waits until something listens at the scheduler's address.
async fn wait_for(host: &str, port: u16, timeout: Duration) -> Result<()> {
    let deadline = tokio::time::Instant::now() + timeout;
    loop {
        match tokio::net::TcpStream::connect((host, port)).await {
            Ok(_) => return Ok(()),
            Err(error) if tokio::time::Instant::now() >= deadline => {
                let unreachable =
                    Error::new(ErrorCode::Unreachable, format!("no scheduler answers at sluice://{host}:{port}"));
                return Err(unreachable
                    .hint("start one with `sluice scheduler`, or check the address")
                    .caused_by(error));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

fn is_one_address(bind: &str) -> bool {
    !matches!(bind, "0.0.0.0" | "::")
}

/// How many tasks this machine can run at a time.
pub(crate) fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an executor finds by a name is what the driver planned with.
    #[test]
    fn an_executor_s_registry_is_the_profile_s() {
        let driver = EngineProfile::new(Role::Driver, &[]).unwrap();
        let executor = EngineProfile::new(Role::Executor, &[]).unwrap();
        let planned = driver.bare_state(driver.session_config());
        let found = BallistaFunctionRegistry::from(&executor.bare_state(job_session_config(&executor)));
        assert_eq!(found.scalar_functions.len(), planned.scalar_functions().len());
        for (name, function) in planned.scalar_functions() {
            assert_eq!(
                format!("{:?}", found.scalar_functions[name].inner()),
                format!("{:?}", function.inner()),
                "{name}"
            );
        }
        assert_eq!(found.aggregate_functions.len(), planned.aggregate_functions().len());
        for (name, function) in planned.aggregate_functions() {
            let found = &found.aggregate_functions[name];
            assert_eq!(format!("{:?}", found.inner()), format!("{:?}", function.inner()), "{name}");
        }
        for (name, function) in planned.window_functions() {
            let found = &found.window_functions[name];
            assert_eq!(format!("{:?}", found.inner()), format!("{:?}", function.inner()), "{name}");
        }
    }
}
