//! Uneven keys: how evenly exchanges spread them, how long the last task takes, and whether the rows stay the same.
//!
//! Tables whose keys follow one law each are joined, aggregated, windowed and written, with the handling of skew off and
//! on, and by Spark in the same run. Seconds on a machine of few cores hide what a hot key costs; so the times of the tasks
//! are dealt out to 16 and 64 slots, and the bytes of each partition are compared.

mod distributions;
mod generate;
mod measure;
mod peers;
mod report;
mod rows;
mod stages;
mod steps;

use std::path::PathBuf;

use sluice::{Error, ErrorCode, Result, Session};

pub use self::distributions::Distribution;
pub use self::generate::{HotKey, KeyCounts, SkewData, generate};
use self::measure::{Bench, Measured};
pub use self::peers::Peer;
pub use self::report::{Change, PeerReport, PeerRun, Run, SkewReport, StepReport};
pub use self::stages::JobSpread;
use crate::machine::Machine;

/// More iterations than anybody waits for.
const MAX_ITERATIONS: u32 = 1_000;
/// More partitions than a stage can have tasks.
const MAX_PARTITIONS: u64 = 4_096;

/// What to run.
#[derive(Debug, Clone)]
pub struct SkewOptions {
    /// Rows of each large table.
    pub rows: u64,
    /// Partitions of each exchange.
    pub partitions: u64,
    /// Distributions of the keys; all where empty.
    pub distributions: Vec<Distribution>,
    /// Names of steps; all where empty.
    pub steps: Vec<String>,
    /// How often each step runs in each mode.
    pub iterations: u32,
    /// Engines to compare with.
    pub against: Vec<Peer>,
    /// Folder that holds the data sets, one below it for each number of rows.
    pub data_dir: PathBuf,
    /// Where the session runs, for the report only.
    pub master: String,
}

impl Default for SkewOptions {
    fn default() -> Self {
        Self {
            rows: 10_000_000,
            partitions: 64,
            distributions: Vec::new(),
            steps: Vec::new(),
            iterations: 1,
            against: Vec::new(),
            data_dir: PathBuf::from("data"),
            master: "local-cluster[1]".to_owned(),
        }
    }
}

/// Runs the skew benchmark on a session.
///
/// A step that fails is reported and the run goes on.
///
/// # Errors
/// Options out of range, unknown steps, data that cannot be made, and tables that cannot be registered.
pub async fn run(session: &Session, options: &SkewOptions) -> Result<SkewReport> {
    run_with_progress(session, options, |_| {}).await
}

/// Runs as [`run`] does and tells of each step as soon as its times are known. Peers come after a distribution's steps.
///
/// # Errors
/// As [`run`].
pub async fn run_with_progress(
    session: &Session,
    options: &SkewOptions,
    mut timed: impl FnMut(&StepReport) + Send,
) -> Result<SkewReport> {
    check(options)?;
    let no_modes = measure::prepare(session, options.partitions).await?;
    let has_modes = no_modes.is_none();
    let mut report = empty_report(options, no_modes);
    let outcome = run_all(session, options, &mut report, &mut timed).await;
    let restored = measure::restore(session, has_modes).await;
    outcome.and(restored).map(|()| report)
}

async fn run_all(
    session: &Session,
    options: &SkewOptions,
    report: &mut SkewReport,
    timed: &mut (impl FnMut(&StepReport) + Send),
) -> Result<()> {
    let all = options.distributions.is_empty().then_some(Distribution::ALL.as_slice());
    for distribution in all.unwrap_or(&options.distributions) {
        let steps = steps::chosen(*distribution, &options.steps)?;
        let data = generate(&options.data_dir, options.rows, *distribution).await?;
        report.generated_seconds += data.generated_seconds.unwrap_or(0.0);
        let scratch = std::path::absolute(&options.data_dir)
            .and_then(|dir| tempfile::Builder::new().prefix(".written-").tempdir_in(dir))
            .map_err(|error| Error::new(ErrorCode::Storage, "no folder to write to").caused_by(error))?;
        let has_modes = report.no_modes.is_none();
        let bench = Bench::open(session, &data, has_modes, options.iterations, scratch.path()).await?;
        let mut measured: Vec<Measured> = Vec::with_capacity(steps.len());
        for step in &steps {
            let result = bench.measure(&data, step).await;
            timed(&result.report);
            measured.push(result);
        }
        bench.close().await?;
        for peer in &options.against {
            let (asked, mut outcomes) = peers::ask(*peer, &data, &steps, options.partitions, options.iterations).await;
            if !report.peers.iter().any(|known| known.peer == asked.peer) {
                report.peers.push(asked);
            }
            for Measured { report: step, answer } in &mut measured {
                if let Some(outcome) = outcomes.remove(step.step) {
                    step.add_peer(peer.name(), outcome, answer.as_ref());
                }
            }
        }
        report.steps.extend(measured.into_iter().map(|measured| measured.report));
    }
    Ok(())
}

fn check(options: &SkewOptions) -> Result<()> {
    let refused = |what: String, hint: &str| Err(Error::new(ErrorCode::InvalidArgument, what).hint(hint));
    if options.iterations == 0 || options.iterations > MAX_ITERATIONS {
        return refused(format!("{} iterations are out of range", options.iterations), "run each step 1 to 1000 times");
    }
    if options.partitions == 0 || options.partitions > MAX_PARTITIONS {
        return refused(format!("{} partitions are out of range", options.partitions), "take 1 to 4096 partitions");
    }
    Ok(())
}

fn empty_report(options: &SkewOptions, no_modes: Option<String>) -> SkewReport {
    SkewReport {
        benchmark: "skew",
        rows: options.rows,
        partitions: options.partitions,
        iterations: options.iterations,
        master: options.master.clone(),
        command: std::env::args().collect::<Vec<_>>().join(" "),
        version: env!("CARGO_PKG_VERSION"),
        data_dir: options.data_dir.display().to_string(),
        generated_seconds: 0.0,
        machine: Machine::current(),
        no_modes,
        peers: Vec::new(),
        steps: Vec::new(),
    }
}
