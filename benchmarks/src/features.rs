//! The feature functions on a table as Criteo's and on a text set: how many values a second each works through.
//!
//! One step is one statement over rows that are held in memory, run warm. On the master `local[1]` that is one core, so
//! the figures are per core. Other libraries do the same steps over the same files, on one core and in the same run.

mod columns;
mod documents;
mod generate;
mod measure;
mod peers;
mod report;
mod steps;

use std::path::PathBuf;

use sluice::{Error, ErrorCode, Result, Session};

pub use self::generate::{FeatureData, generate};
use self::measure::Bench;
pub use self::peers::Peer;
pub use self::report::{FeatureReport, PeerReport, PeerTime, StepReport};
use crate::machine::Machine;

/// More iterations than anybody waits for.
const MAX_ITERATIONS: u32 = 1_000;
/// What a row of the table takes in memory, with the columns that a step adds.
const ROW_BYTES: u64 = 800;

/// What to run.
#[derive(Debug, Clone)]
pub struct FeatureOptions {
    /// Rows of the table; the text set has a tenth of them.
    pub rows: u64,
    /// How often each step runs, after once to warm up.
    pub iterations: u32,
    /// Names of steps, or of functions that they call; all steps where empty.
    pub functions: Vec<String>,
    /// Libraries to compare with.
    pub against: Vec<Peer>,
    /// Folder that holds the data sets, one below it for each number of rows.
    pub data_dir: PathBuf,
    /// Where the session runs, for the report only.
    pub master: String,
}

impl Default for FeatureOptions {
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            iterations: 3,
            functions: Vec::new(),
            against: Vec::new(),
            data_dir: PathBuf::from("data"),
            master: "local[1]".to_owned(),
        }
    }
}

/// Measures the feature functions on a session, and then the other libraries.
///
/// A step that fails is reported and the run goes on.
///
/// # Errors
/// Options out of range, data that cannot be made, and more rows than the memory holds.
pub async fn run(session: &Session, options: &FeatureOptions) -> Result<FeatureReport> {
    run_with_progress(session, options, |_| {}).await
}

/// Measures as [`run`] does and tells of each step as soon as its times are known. Other libraries come at the end.
///
/// # Errors
/// As [`run`].
pub async fn run_with_progress(
    session: &Session,
    options: &FeatureOptions,
    mut timed: impl FnMut(&StepReport) + Send,
) -> Result<FeatureReport> {
    let steps = steps::chosen(&options.functions)?;
    let machine = Machine::current();
    check(options, &machine)?;
    let data = generate(&options.data_dir, options.rows).await?;
    let copy_bytes_per_second = tokio::task::spawn_blocking(measure::copy_bytes_per_second)
        .await
        .map_err(|error| Error::new(ErrorCode::Internal, "the memory could not be measured").caused_by(error))?;
    let mut bench = Bench::new(session, &data, options.iterations, copy_bytes_per_second);
    let mut measured = Vec::with_capacity(steps.len());
    for step in &steps {
        let report = bench.measure(step).await;
        timed(&report);
        measured.push(report);
    }
    // The rows leave the memory before another library reads them.
    bench.close().await?;
    let mut peers = Vec::with_capacity(options.against.len());
    for peer in &options.against {
        let (report, mut outcomes) = peers::ask(*peer, &data, &steps, options.iterations).await;
        peers.push(report);
        for step in &mut measured {
            if let Some(outcome) = outcomes.remove(step.name) {
                step.add_peer(peer.name(), outcome);
            }
        }
    }
    Ok(FeatureReport {
        benchmark: "features",
        rows: data.rows,
        documents: data.documents,
        iterations: options.iterations,
        master: options.master.clone(),
        command: std::env::args().collect::<Vec<_>>().join(" "),
        version: env!("CARGO_PKG_VERSION"),
        data_dir: data.dir.display().to_string(),
        generated_seconds: data.generated_seconds,
        machine,
        copy_bytes_per_second,
        peers,
        steps: measured,
    })
}

fn check(options: &FeatureOptions, machine: &Machine) -> Result<()> {
    if options.iterations == 0 || options.iterations > MAX_ITERATIONS {
        let message = format!("{} iterations are out of range", options.iterations);
        return Err(Error::new(ErrorCode::InvalidArgument, message).hint("run each step 1 to 1000 times"));
    }
    let needed = options.rows.saturating_mul(ROW_BYTES);
    if machine.memory_bytes.is_some_and(|memory| needed > memory) {
        let gigabytes = needed as f64 / 1e9;
        let message = format!("{} rows take about {gigabytes:.0} GB of memory", options.rows);
        return Err(Error::new(ErrorCode::InvalidArgument, message).hint("take fewer rows, or a larger machine"));
    }
    Ok(())
}
