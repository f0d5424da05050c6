//! A cluster's processes, what they have on their disks, and that nothing of them is left.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sluice::Session;
use sluice_proto::ClusterInfoRequest;
use sluice_proto::job_service_client::JobServiceClient;

use super::statement::Numbers;
use crate::support::{Scratch, signal, stdout, wait_until};

/// Settings under which faults are noticed soon, and every join and aggregation has something to exchange.
const SETTINGS: [&str; 5] = [
    "sluice.cluster.heartbeat=1s",
    "sluice.cluster.executor_timeout=6s",
    "sluice.cluster.broadcast_limit=0",
    "sluice.execution.partitions=8",
    "sluice.cluster.start_timeout=20s",
];

/// Driver and executors. All that they write for a time goes into one folder, by whose name they are found too.
pub(super) struct Cluster<'a> {
    numbers: &'a Numbers,
    folder: tempfile::TempDir,
    temporary: PathBuf,
    settings: Vec<String>,
    port: u16,
    /// What the others call the driver.
    driver_host: &'static str,
    driver: Option<Child>,
    executors: Vec<Part>,
}

/// An executor that is a process of its own, where others reach it.
struct Part {
    child: Child,
    host: String,
    ports: [u16; 2],
}

/// A running executor.
#[derive(Debug, Clone)]
pub(super) struct Executor {
    pub(super) pid: u32,
    work_dir: PathBuf,
}

impl<'a> Cluster<'a> {
    fn empty(numbers: &'a Numbers, settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let temporary = folder.path().join("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let settings = SETTINGS.iter().chain(settings).map(ToString::to_string).collect();
        let (port, driver_host) = (0, "127.0.0.1");
        Self { numbers, folder, temporary, settings, port, driver_host, driver: None, executors: Vec::new() }
    }

    /// `sluice cluster` with executors of one core.
    pub(super) fn local(numbers: &'a Numbers, executors: usize, settings: &[&str]) -> Self {
        Self::local_in(Self::empty(numbers, settings), executors)
    }

    /// The same, with all that it writes for a time in a folder that exists.
    pub(super) fn local_at(numbers: &'a Numbers, executors: usize, settings: &[&str], temporary: &Path) -> Self {
        let mut cluster = Self::empty(numbers, settings);
        cluster.temporary = temporary.to_path_buf();
        Self::local_in(cluster, executors)
    }

    fn local_in(mut self, executors: usize) -> Self {
        self.port = free_port();
        let mut command = self.process("cluster");
        command.args(["cluster", "--executors", &executors.to_string(), "--cores", "1"]);
        command.args(["--port", &self.port.to_string(), "--exit-with-parent"]);
        self.driver = Some(self.start(command));
        self.await_executors(executors);
        self
    }

    /// A driver, and executors that find it under `driver_host`, each a process of its own.
    pub(super) fn parts(numbers: &'a Numbers, executors: usize, driver_host: &'static str) -> Self {
        let mut cluster = Self::empty(numbers, &[]);
        cluster.port = free_port();
        cluster.driver_host = driver_host;
        cluster.start_driver();
        for _ in 0..executors {
            cluster.start_executor("127.0.0.1");
        }
        cluster
    }

    pub(super) fn start_driver(&mut self) {
        let mut command = self.process("driver");
        command.args(["scheduler", "--port", &self.port.to_string(), "--external-host", self.driver_host]);
        command.arg("--exit-with-parent");
        self.driver = Some(self.start(command));
    }

    /// Starts an executor that others reach at `host`; gives its ports.
    pub(super) fn start_executor(&mut self, host: &str) -> [u16; 2] {
        let ports = [free_port(), free_port()];
        let child = self.executor(host, ports);
        self.executors.push(Part { child, host: host.to_string(), ports });
        ports
    }

    /// Starts those again that have ended because the driver was not to be reached, as what runs services does.
    pub(super) fn restart_ended(&mut self) {
        for number in 0..self.executors.len() {
            let part = &mut self.executors[number];
            let Some(status) = part.child.try_wait().unwrap() else { continue };
            assert_eq!(status.code(), Some(3), "an executor that nobody told to end");
            let (host, ports) = (part.host.clone(), part.ports);
            self.executors[number].child = self.executor(&host, ports);
        }
    }

    fn executor(&self, host: &str, ports: [u16; 2]) -> Child {
        let mut command = self.process("executor");
        let driver = format!("sluice://{}:{}", self.driver_host, self.port);
        command.args(["executor", "--scheduler", &driver, "--external-host", host, "--cores", "1"]);
        command.args(["--port", &ports[0].to_string(), "--grpc-port", &ports[1].to_string(), "--exit-with-parent"]);
        command.arg("--work-dir").arg(self.temporary.join("work"));
        self.start(command)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    fn children(&mut self) -> impl Iterator<Item = &mut Child> {
        self.driver.iter_mut().chain(self.executors.iter_mut().map(|part| &mut part.child))
    }

    fn process(&self, name: &str) -> Command {
        let mut command = self.command();
        let log = std::fs::File::create(self.folder.path().join(format!("{name}-{}.log", self.executors.len())));
        command.env("TMPDIR", &self.temporary).env("SLUICE_LOG", "warn").stderr(log.unwrap());
        command
    }

    fn start(&self, mut command: Command) -> Child {
        for setting in &self.settings {
            command.args(["--conf", setting]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
    }

    /// The binary over the shared catalog.
    pub(super) fn command(&self) -> Command {
        self.numbers.scratch.command()
    }

    pub(super) fn scratch(&self) -> &Scratch {
        &self.numbers.scratch
    }

    pub(super) fn url(&self) -> String {
        format!("sluice://127.0.0.1:{}", self.port)
    }

    /// Waits until the driver has so many executors, and starts those again that have ended.
    pub(super) fn await_parts(&mut self, count: usize) {
        // One that has been given up may still be on its way to its end.
        std::thread::sleep(Duration::from_secs(2));
        wait_until("the executors", || {
            self.restart_ended();
            self.count_executors() == Some(count)
        });
    }

    /// Waits until the driver has so many executors.
    pub(super) fn await_executors(&self, count: usize) {
        wait_until("the executors", || self.count_executors() == Some(count));
    }

    fn count_executors(&self) -> Option<usize> {
        let address = format!("http://127.0.0.1:{}", self.port);
        let found = async || {
            let mut driver = JobServiceClient::connect(address.clone()).await.ok()?;
            let reply = driver.cluster_info(ClusterInfoRequest {}).await.ok()?;
            Some(reply.into_inner().executors.len())
        };
        tokio::runtime::Runtime::new().unwrap().block_on(found())
    }

    /// How often the newest job was started.
    pub(super) fn attempts(&self) -> u32 {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let session = Session::connect(&self.url()).await.unwrap();
            session.jobs().await.unwrap().first().map_or(0, |job| job.attempts)
        })
    }

    /// The rows of `sluice jobs` that are in this state.
    pub(super) fn jobs(&self, state: &str) -> Vec<String> {
        let output = self.scratch().run(&["jobs", "--master", &self.url(), "--format", "csv"]);
        stdout(&output).lines().filter(|line| line.contains(state)).map(str::to_string).collect()
    }

    /// Waits until a job runs.
    pub(super) fn await_job(&self) {
        wait_until("the job", || !self.jobs("running").is_empty());
    }

    /// Ends the driver at once.
    pub(super) fn kill_driver(&mut self) {
        let mut driver = self.driver.take().unwrap();
        driver.kill().unwrap();
        driver.wait().unwrap();
    }

    /// The executors that run, however they were started.
    pub(super) fn executors(&self) -> Vec<Executor> {
        let mut found = Vec::new();
        for pid in processes_in(&self.temporary) {
            let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) else { continue };
            let words: Vec<String> =
                line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into()).collect();
            let place = words.iter().position(|word| word == "--work-dir").and_then(|at| words.get(at + 1));
            if let (Some("executor"), Some(place)) = (words.get(1).map(String::as_str), place) {
                found.push(Executor { pid, work_dir: PathBuf::from(place) });
            }
        }
        found
    }

    /// Whether something of a job lies on a disk.
    pub(super) fn has_shuffle_files(&self) -> bool {
        !files(&self.temporary).iter().filter(|file| file.extension().is_some()).collect::<Vec<_>>().is_empty()
    }

    /// Stops it, and looks whether all its processes are gone and all its files.
    pub(super) fn stop(mut self) {
        for child in self.children() {
            // One that has ended by itself hears nothing.
            if child.try_wait().unwrap().is_none() {
                signal(child.id(), "TERM");
            }
        }
        let temporary = self.temporary.clone();
        for child in self.children() {
            wait_until("the end of a process", || child.try_wait().unwrap().is_some());
        }
        wait_until("the end of all processes", || processes_in(&temporary).is_empty());
        assert_eq!(files(&temporary), Vec::<PathBuf>::new(), "files are left");
    }
}

impl Executor {
    /// Files of rows that are being written, or have been.
    pub(super) fn rows(&self) -> Vec<PathBuf> {
        with_extension(&self.work_dir, "arrow")
    }

    /// Files of rows that are finished: their checksums are written last.
    pub(super) fn finished_rows(&self) -> Vec<PathBuf> {
        with_extension(&self.work_dir, "sums").into_iter().map(|sums| sums.with_extension("arrow")).collect()
    }

    pub(super) fn signal(&self, name: &str) {
        signal(self.pid, name);
    }
}

fn with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|file| file.extension().is_some_and(|found| found == extension)).collect()
}

/// All files in a folder and below.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(_) => found.push(entry.path()),
            // It went meanwhile.
            Err(_) => {}
        }
    }
    found
}

/// The processes whose temporary folder is this one; those that have ended and are not waited for do not count.
fn processes_in(temporary: &Path) -> Vec<u32> {
    let wanted = format!("TMPDIR={}", temporary.display());
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    })
    .collect()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        for child in self.children() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if !std::thread::panicking() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
        for log in with_extension(self.folder.path(), "log") {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<String> = text.lines().map(|line| line.chars().take(300).collect()).collect();
            eprintln!("{}:\n{}", log.display(), lines[lines.len().saturating_sub(30)..].join("\n"));
        }
    }
}
