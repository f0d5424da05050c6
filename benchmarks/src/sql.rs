//! Benchmarks that are queries over tables: TPC-H, TPC-DS and ClickBench, their times, whether their rows are right, and
//! what other engines take for them.
//!
//! A benchmark whose answers nobody checks measures how fast an engine is wrong. So the rows of every iteration can be
//! compared with DataFusion as it comes and with DuckDB, which shares no code with either. Every other engine runs in a
//! process of its own and takes turns with the session: on a shared machine only neighbours in time compare.

mod bandwidth;
mod benchmark;
mod data;
mod own;
mod peer;
mod query;
mod report;
mod serve;
mod usage;
mod verify;

use std::collections::BTreeMap;
use std::path::PathBuf;

use sluice::{Error, ErrorCode, Result, Session};
use tempfile::TempDir;

pub use self::bandwidth::Bandwidth;
pub use self::benchmark::Benchmark;
pub(crate) use self::data::{DataFile, Rows};
pub use self::data::{SqlData, generate};
use self::own::Answer;
pub use self::peer::Peer;
use self::peer::Process;
pub(crate) use self::query::{Query, query_texts};
pub use self::report::{PeerReport, PeerTimes, QueryReport, SqlReport, Verdict};
pub use self::serve::serve_datafusion;
use self::usage::Meter;
pub use self::usage::Usage;
use self::verify::{Judge, VERIFIERS};
use crate::machine::Machine;

/// More iterations than anybody waits for.
const MAX_ITERATIONS: u32 = 1_000;
/// The smallest pool that a share of a query's working set gives.
const MIN_POOL_BYTES: u64 = 128 << 20;
const MEMORY_LIMIT: &str = "sluice.memory.limit";

/// What to run.
#[derive(Debug, Clone)]
pub struct SqlOptions {
    /// Whose queries.
    pub benchmark: Benchmark,
    /// Scale factor, see [`Benchmark`].
    pub scale: f64,
    /// Numbers of the queries to run, in that order; all where empty.
    pub queries: Vec<u8>,
    /// How often each query runs.
    pub iterations: u32,
    /// Compare the rows with DataFusion as it comes and with DuckDB.
    pub verify: bool,
    /// Engines to time in turn with the session.
    pub against: Vec<Peer>,
    /// Folder that holds the data sets, one below it for each scale.
    pub data_dir: PathBuf,
    /// Where the session runs.
    pub master: String,
    /// Settings of the session, the weakest first.
    pub settings: Vec<(String, String)>,
    /// Size of the memory pools, of peers that have one as well.
    pub memory: Memory,
}

/// How much memory the operators of a query may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Memory {
    /// What the settings say.
    AsSet,
    /// So many bytes.
    Bytes(u64),
    /// A share of what the query takes in one process without a limit, and at least 128 MiB.
    Share(f64),
}

impl SqlOptions {
    /// One iteration of all queries at scale 1, embedded, not verified.
    pub fn new(benchmark: Benchmark) -> Self {
        Self {
            benchmark,
            scale: 1.0,
            queries: Vec::new(),
            iterations: 1,
            verify: false,
            against: Vec::new(),
            data_dir: PathBuf::from("data"),
            master: "local[*]".to_owned(),
            settings: Vec::new(),
            memory: Memory::AsSet,
        }
    }
}

/// Runs a benchmark.
///
/// A query that fails is reported and the run goes on.
///
/// # Errors
/// Options out of range, data that cannot be made, and a session that cannot be opened.
pub async fn run(options: &SqlOptions) -> Result<SqlReport> {
    run_with_progress(options, |_| {}).await
}

/// Runs a benchmark as [`run`] does and tells of each query as soon as it is done.
///
/// # Errors
/// As [`run`].
pub async fn run_with_progress(options: &SqlOptions, mut done: impl FnMut(&QueryReport) + Send) -> Result<SqlReport> {
    let queries = chosen_queries(options)?;
    let data = generate(&options.data_dir, options.benchmark, options.scale).await?;
    let scratch =
        tempfile::tempdir().map_err(|error| Error::new(ErrorCode::Storage, "no temporary folder").caused_by(error))?;
    let mut run = Run { options, data: &data, peers: BTreeMap::new(), unavailable: BTreeMap::new(), scratch };
    run.start_peers().await;
    let mut reports = Vec::with_capacity(queries.len());
    let session = match options.memory {
        Memory::AsSet => Some(run.open(&options.master, None).await?),
        Memory::Bytes(bytes) => Some(run.open(&options.master, Some(bytes)).await?),
        Memory::Share(_) => None,
    };
    for query in &queries {
        let report = match (&session, options.memory) {
            (Some(session), _) => run.measure(session, query).await,
            (None, Memory::Share(share)) => run.measure_within_share(query, share).await?,
            (None, _) => continue,
        };
        done(&report);
        reports.push(report);
    }
    if let Some(session) = session {
        // A driver that is gone has no session to end, and its queries' errors say so.
        let _ = session.close().await;
    }
    let bandwidth = Bandwidth::measure(&data).await;
    Ok(SqlReport {
        benchmark: options.benchmark.name(),
        title: options.benchmark.title(),
        scale: options.scale,
        iterations: options.iterations,
        master: options.master.clone(),
        memory: options.memory.describe(),
        command: std::env::args().collect::<Vec<_>>().join(" "),
        version: env!("CARGO_PKG_VERSION"),
        datafusion_version: datafusion::DATAFUSION_VERSION,
        peers: run.reports(),
        data_dir: data.dir.display().to_string(),
        data_bytes: data.size_bytes,
        generated_seconds: data.generated_seconds,
        machine: Machine::current(),
        bandwidth,
        verify: options.verify,
        queries: reports,
    })
}

impl Memory {
    fn describe(self) -> Option<String> {
        match self {
            Self::AsSet => None,
            Self::Bytes(bytes) => Some(format!("{:.0} MiB", bytes as f64 / (1u64 << 20) as f64)),
            Self::Share(share) => Some(format!("{:.0} % of each query's working set, at least 128 MiB", share * 100.0)),
        }
    }
}

fn chosen_queries(options: &SqlOptions) -> Result<Vec<Query>> {
    if options.iterations == 0 || options.iterations > MAX_ITERATIONS {
        let message = format!("{} iterations are out of range", options.iterations);
        return Err(Error::new(ErrorCode::InvalidArgument, message).hint("run each query 1 to 1000 times"));
    }
    let all: Vec<u8> = (1..=options.benchmark.queries()).collect();
    let numbers = if options.queries.is_empty() { &all } else { &options.queries };
    numbers.iter().map(|number| options.benchmark.query(*number, options.scale)).collect()
}

/// A run under way.
struct Run<'a> {
    options: &'a SqlOptions,
    data: &'a SqlData,
    /// Peers that run, or are to be started again.
    peers: BTreeMap<Peer, PeerState>,
    /// Why others are not here.
    unavailable: BTreeMap<Peer, String>,
    scratch: TempDir,
}

struct PeerState {
    process: Option<Process>,
    version: String,
    timed: bool,
}

impl Run<'_> {
    async fn open(&self, master: &str, memory_bytes: Option<u64>) -> Result<Session> {
        let mut builder = Session::builder().master(master);
        for (key, value) in &self.options.settings {
            builder = builder.conf(key.as_str(), value.as_str());
        }
        if let Some(bytes) = memory_bytes {
            builder = builder.conf(MEMORY_LIMIT, bytes.to_string());
        }
        let session = builder.build().await?;
        for table in &self.data.tables {
            session.register_parquet(table, &self.data.table_dir(table).to_string_lossy()).await?;
        }
        Ok(session)
    }

    fn pool_bytes(&self) -> Option<u64> {
        match self.options.memory {
            Memory::Bytes(bytes) => Some(bytes),
            Memory::AsSet | Memory::Share(_) => None,
        }
    }

    /// Starts the peers that are timed, and those that verify.
    async fn start_peers(&mut self) {
        let verifiers: &[Peer] = if self.options.verify { &VERIFIERS } else { &[] };
        let mut wanted: Vec<Peer> = self.options.against.iter().chain(verifiers).copied().collect();
        wanted.sort_unstable();
        wanted.dedup();
        for peer in wanted {
            match Process::start(peer, self.data, self.pool_bytes()).await {
                Ok(process) => {
                    let (version, timed) = (process.version.clone(), self.options.against.contains(&peer));
                    self.peers.insert(peer, PeerState { process: Some(process), version, timed });
                }
                Err(reason) => {
                    self.unavailable.insert(peer, reason);
                }
            }
        }
    }

    /// Runs a query on the session and on the peers. Who goes first changes with query and iteration, so that nobody
    /// always finds the files warmed by another.
    async fn measure(&mut self, session: &Session, query: &Query) -> QueryReport {
        let mut report = QueryReport::new(query.number);
        let mut judge = Judge::default();
        let timed: Vec<Peer> = self.peers.iter().filter(|(_, state)| state.timed).map(|(peer, _)| *peer).collect();
        for iteration in 0..self.options.iterations {
            let mut turns: Vec<Option<Peer>> = std::iter::once(None).chain(timed.iter().copied().map(Some)).collect();
            let first = (usize::from(query.number) + iteration as usize) % turns.len();
            turns.rotate_left(first);
            for turn in turns {
                match turn {
                    None if report.error.is_none() => self.measure_own(session, query, &mut report, &mut judge).await,
                    None => {}
                    Some(peer) => self.measure_peer(peer, query, &mut report, &mut judge).await,
                }
            }
        }
        if self.options.verify && report.error.is_none() {
            for peer in VERIFIERS {
                if self.peers.contains_key(&peer) && !judge.has(peer) {
                    self.measure_peer(peer, query, &mut report, &mut judge).await;
                }
            }
            report.datafusion = judge.verdict(Peer::DataFusion);
            report.duckdb = judge.verdict(Peer::DuckDb);
        }
        report.finish();
        report
    }

    async fn measure_own(&self, session: &Session, query: &Query, report: &mut QueryReport, judge: &mut Judge) {
        let peers = self.peers.values().filter_map(|state| state.process.as_ref()?.id());
        let meter = Meter::start(std::process::id(), peers);
        let answer = own::run(session, query).await;
        let usage = meter.stop();
        match answer {
            Ok(answer) => {
                report.add(&answer, usage);
                if self.options.verify {
                    judge.own(&answer);
                }
            }
            Err(error) => report.error = Some(error.to_string()),
        }
    }

    async fn measure_peer(&mut self, peer: Peer, query: &Query, report: &mut QueryReport, judge: &mut Judge) {
        let result = (self.options.verify && VERIFIERS.contains(&peer) && !judge.has(peer))
            .then(|| self.scratch.path().join(format!("{}.parquet", peer.name())));
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let timed = state.timed;
        let mut times = PeerTimes::default();
        if report.peers.get(peer.name()).is_some_and(|times| times.error.is_some()) && result.is_none() {
            return;
        }
        if state.process.is_none() {
            let memory_bytes = match self.options.memory {
                Memory::Bytes(bytes) => Some(bytes),
                Memory::AsSet | Memory::Share(_) => None,
            };
            state.process = Process::start(peer, self.data, memory_bytes).await.ok();
        }
        let outcome = match &mut state.process {
            Some(process) => {
                let meter = process.id().map(|id| Meter::start(id, []));
                let outcome = process.run(query, result.as_deref()).await;
                times.usage = meter.map(Meter::stop);
                outcome
            }
            None => Err("it could not be started again".to_owned()),
        };
        match outcome {
            Ok(outcome) => {
                times.seconds.extend(outcome.seconds);
                times.error = outcome.error;
            }
            Err(reason) => {
                times.error = Some(reason);
                state.process = None;
            }
        }
        if let Some(path) = result {
            judge.peer(peer, times.error.clone(), &path);
        }
        if timed {
            report.peers.entry(peer.name()).or_default().add(times);
        }
    }

    /// Finds what a query takes without a limit, and runs it with a share of that.
    async fn measure_within_share(&mut self, query: &Query, share: f64) -> Result<QueryReport> {
        let free = self.open("local[*]", Some(0)).await?;
        let unlimited = own::run(&free, query).await;
        let working_set_bytes = free.memory_peak_bytes().unwrap_or(0);
        free.close().await?;
        if let Err(error) = unlimited {
            let mut report = QueryReport::new(query.number);
            report.error = Some(format!("without a limit: {error}"));
            return Ok(report);
        }
        let pool_bytes = ((working_set_bytes as f64 * share) as u64).max(MIN_POOL_BYTES);
        let session = self.open(&self.options.master, Some(pool_bytes)).await?;
        let mut report = self.measure(&session, query).await;
        // As above.
        let _ = session.close().await;
        report.working_set_bytes = Some(working_set_bytes);
        report.pool_bytes = Some(pool_bytes);
        Ok(report)
    }

    fn reports(&self) -> Vec<PeerReport> {
        let here = self.peers.iter().map(|(peer, state)| PeerReport {
            name: peer.name(),
            version: Some(state.version.clone()),
            unavailable: None,
            timed: state.timed,
        });
        let away = self.unavailable.iter().map(|(peer, reason)| PeerReport {
            name: peer.name(),
            version: None,
            unavailable: Some(reason.clone()),
            timed: self.options.against.contains(peer),
        });
        here.chain(away).collect()
    }
}

impl QueryReport {
    fn add(&mut self, answer: &Answer, usage: Usage) {
        self.rows = Some(answer.rows);
        self.seconds.push(answer.seconds);
        self.usage.push(usage);
        self.spilled_bytes = self.spilled_bytes.max(answer.spilled_bytes);
        self.shuffled_bytes = self.shuffled_bytes.max(answer.shuffled_bytes);
    }
}
