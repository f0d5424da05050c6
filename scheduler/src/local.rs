//! A whole cluster on one machine: the driver in this process, each executor in a process of its own. An executor that
//! dies is noticed at once and started anew, a bounded number of times.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use sluice::config::environment_name;
use sluice::{Error, ErrorCode, Result};
use tokio::process::{Child, Command};

use crate::driver::{Cluster, Driver, SchedulerOptions, stop_signal};
use crate::executor::available_cores;
use crate::ready::ReadySignal;

/// How often one executor may be started anew.
const RESTARTS: usize = 20;
/// The pause before an executor is started anew.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// How to run a cluster on this machine.
#[derive(Debug, Clone, Default)]
pub struct ClusterOptions {
    /// How many executors.
    pub executors: usize,
    /// Tasks at a time of each executor; the machine's cores shared out where absent.
    pub cores: Option<usize>,
    /// The address to listen on.
    pub bind: String,
    /// The driver's port; 0 takes a free one.
    pub port: u16,
    /// Settings, the weakest first.
    pub conf: Vec<(String, String)>,
    /// Whether to say when all executors are there.
    pub ready: ReadySignal,
}

/// Runs a cluster until it is told to stop.
pub async fn run_cluster(options: ClusterOptions) -> Result<()> {
    if options.executors == 0 {
        return Err(Error::new(ErrorCode::InvalidArgument, "a cluster needs at least one executor")
            .hint("give --executors a number from 1"));
    }
    let driver = Driver::start(&SchedulerOptions {
        bind: options.bind.clone(),
        port: options.port,
        external_host: None,
        conf: options.conf.clone(),
        ready: ReadySignal::Silent,
        ..Default::default()
    })
    .await?;
    let url = driver.url().to_string();
    let cluster = driver.cluster();
    let work = tempfile::Builder::new()
        .prefix("sluice-cluster-")
        .tempdir()
        .map_err(|error| Error::new(ErrorCode::Storage, "cannot make the executors' work folder").caused_by(error))?;
    let spawner = Arc::new(Spawner {
        program: std::env::current_exe()
            .map_err(|error| Error::new(ErrorCode::Internal, "the running program has no path").caused_by(error))?,
        work: work.path().to_path_buf(),
        scheduler: url.clone(),
        cores: options.cores.unwrap_or_else(|| available_cores().div_ceil(options.executors)),
        share: options.executors as u64,
        options: options.clone(),
    });
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let watchers: Vec<_> = (0..options.executors)
        .map(|number| tokio::spawn(Arc::clone(&spawner).keep_alive(number, Arc::clone(&cluster), stopped.clone())))
        .collect();
    let announced = announce(Arc::clone(&cluster), options.executors, url, options.ready);
    let outcome = driver
        .serve(async move {
            tokio::select! {
                () = stop_signal() => {}
                () = async { announced.await; std::future::pending().await } => {}
            }
        })
        .await;
    stop.send_replace(true);
    for watcher in watchers {
        // A watcher ends with its executor; one that panicked has nothing left to end.
        let _ = watcher.await;
    }
    outcome
}

/// Says `ready` once every executor has registered.
async fn announce(cluster: Arc<Cluster>, executors: usize, url: String, ready: ReadySignal) {
    while cluster.executors().await.len() < executors {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    ready.driver(&url);
}

/// Starts executor processes.
struct Spawner {
    program: PathBuf,
    work: PathBuf,
    scheduler: String,
    cores: usize,
    share: u64,
    options: ClusterOptions,
}

impl Spawner {
    async fn keep_alive(
        self: Arc<Self>,
        number: usize,
        cluster: Arc<Cluster>,
        mut stopped: tokio::sync::watch::Receiver<bool>,
    ) {
        for round in 0..=RESTARTS {
            let id = format!("executor-{number}-{round}");
            let mut child = match self.spawn(&id) {
                Ok(child) => child,
                Err(error) => {
                    tracing::error!(%error, "an executor could not be started");
                    return;
                }
            };
            // Held here, because waiting for a child would close it, and the executor ends when it closes.
            let input = child.stdin.take();
            let stopping = tokio::select! {
                _ = child.wait() => false,
                _ = stopped.wait_for(|stopped| *stopped) => true,
            };
            drop(input);
            if stopping {
                return end(child).await;
            }
            cluster.executor_ended(&id).await;
            // A killed process has removed nothing.
            if let Err(error) = tokio::fs::remove_dir_all(self.work.join(&id)).await
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "a dead executor's folder stays");
            }
            tokio::time::sleep(RESTART_PAUSE).await;
        }
        tracing::error!(number, "an executor died too often and is not started anew");
    }

    fn spawn(&self, id: &str) -> std::io::Result<Child> {
        let mut command = Command::new(&self.program);
        command
            .args(["executor", "--exit-with-parent", "--scheduler", &self.scheduler, "--bind", &self.options.bind])
            .args(["--port", "0", "--grpc-port", "0", "--cores", &self.cores.to_string(), "--id", id])
            .arg("--work-dir")
            .arg(self.work.join(id))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .process_group(0)
            .kill_on_drop(true);
        for (key, value) in &self.options.conf {
            if key == "sluice.memory.limit" || key == "sluice.cluster.work_dir" {
                continue;
            }
            // Through the environment, because other users of the machine can read a command line.
            if key.starts_with("sluice.") {
                command.env(environment_name(key), value);
            } else {
                command.args(["--conf", &format!("{key}={value}")]);
            }
        }
        command.env(environment_name("sluice.memory.limit"), self.memory_limit());
        command.spawn()
    }

    /// The executors of one machine share its memory.
    fn memory_limit(&self) -> String {
        let mut config = sluice::config::SluiceConfig::default();
        let given = self.options.conf.iter().rev().find(|(key, _)| key == "sluice.memory.limit");
        if let Some((_, value)) = given {
            // Checked when the driver started.
            let _ = datafusion::config::ExtensionOptions::set(&mut config, "memory.limit", value);
        }
        (config.memory_limit_bytes() / self.share.max(1)).to_string()
    }
}

/// Gives the executor, whose standard input has been closed, the time to end by itself, and then makes sure.
async fn end(mut child: Child) {
    if tokio::time::timeout(Duration::from_secs(3), child.wait()).await.is_err() {
        // It goes either way: the process is killed when the handle is dropped.
        let _ = child.kill().await;
    }
}
