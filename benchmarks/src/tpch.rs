//! TPC-H on a session: the data, the 22 queries, their times, and whether their rows are right.
//!
//! A benchmark whose answers nobody checks measures how fast an engine is wrong. So every iteration's rows can be
//! compared with DataFusion as it comes, in this process, and with DuckDB, which shares no code with either. Times of
//! plain DataFusion are taken in turn with the session's: on a shared machine only neighbours in time compare.

mod duckdb;
mod engine;
mod generate;
mod queries;
mod report;
mod tables;
mod verify;

use std::path::PathBuf;

use sluice::{Error, ErrorCode, Result, Session};

use self::engine::{Answer, Engine};
pub use self::generate::{TableData, TpchData, generate};
use self::queries::Query;
pub use self::report::{QueryReport, TpchReport, Verdict};
use crate::machine::Machine;

/// More iterations than anybody waits for.
const MAX_ITERATIONS: u32 = 1_000;

/// What to run.
#[derive(Debug, Clone)]
pub struct TpchOptions {
    /// Scale factor: 1 is about a gigabyte of text, 6 million rows in the largest table.
    pub scale: f64,
    /// Numbers of the queries to run, in that order; all 22 where empty.
    pub queries: Vec<u8>,
    /// How often each query runs.
    pub iterations: u32,
    /// Compare the rows with DataFusion in this process, and with DuckDB where Python has it.
    pub verify: bool,
    /// Time plain DataFusion as well, in turn with the session.
    pub against_datafusion: bool,
    /// Folder that holds the data sets, one below it for each scale.
    pub data_dir: PathBuf,
    /// Where the session runs, for the report only.
    pub master: String,
}

impl Default for TpchOptions {
    fn default() -> Self {
        Self {
            scale: 1.0,
            queries: Vec::new(),
            iterations: 1,
            verify: false,
            against_datafusion: false,
            data_dir: PathBuf::from("data"),
            master: "local[*]".to_owned(),
        }
    }
}

/// Runs TPC-H on a session.
///
/// A query that fails is reported and the run goes on.
///
/// # Errors
/// Options out of range, data that cannot be made, and tables that cannot be registered.
pub async fn run(session: &Session, options: &TpchOptions) -> Result<TpchReport> {
    run_with_progress(session, options, |_| {}).await
}

/// Runs TPC-H as [`run`] does and tells of each query as soon as its times are known. Verdicts come at the end only.
///
/// # Errors
/// As [`run`].
pub async fn run_with_progress(
    session: &Session,
    options: &TpchOptions,
    mut timed: impl FnMut(&QueryReport) + Send,
) -> Result<TpchReport> {
    let queries = chosen_queries(options)?;
    let data = generate(&options.data_dir, options.scale).await?;
    for table in &data.tables {
        session.register_parquet(&table.name, &data.table_dir(&table.name).to_string_lossy()).await?;
    }
    let sluice = Engine::Sluice(session);
    let peer = match options.against_datafusion || options.verify {
        true => Some(Engine::plain_datafusion(&data).await?),
        false => None,
    };
    let mut measured = Vec::with_capacity(queries.len());
    for query in &queries {
        let timed_peer = peer.as_ref().filter(|_| options.against_datafusion);
        let result = measure(&sluice, timed_peer, query, options.iterations).await;
        timed(&result.report);
        measured.push(result);
    }
    let mut report = empty_report(options, &data);
    if let (true, Some(peer)) = (options.verify, &peer) {
        verify::verify(&mut measured, &mut report, peer, &data, &queries).await;
    }
    for table in &data.tables {
        session.deregister_table(&table.name).await?;
    }
    report.queries = measured.into_iter().map(|measured| measured.report).collect();
    Ok(report)
}

/// A query's report with the rows that the verdicts need.
struct Measured {
    report: QueryReport,
    answers: Vec<Answer>,
    /// Rows of plain DataFusion, if it has run the query already.
    datafusion: Option<Answer>,
}

fn chosen_queries(options: &TpchOptions) -> Result<Vec<Query>> {
    if options.iterations == 0 || options.iterations > MAX_ITERATIONS {
        let message = format!("{} iterations are out of range", options.iterations);
        return Err(Error::new(ErrorCode::InvalidArgument, message).hint("run each query 1 to 1000 times"));
    }
    let all: Vec<u8> = (1..=queries::COUNT).collect();
    let numbers = if options.queries.is_empty() { &all } else { &options.queries };
    numbers.iter().map(|number| queries::query(*number, options.scale)).collect()
}

/// Runs a query on the session and, if there is one, on the peer. Who goes first changes with query and iteration, so
/// that neither always finds the files warmed by the other.
async fn measure(sluice: &Engine<'_>, peer: Option<&Engine<'_>>, query: &Query, iterations: u32) -> Measured {
    let mut measured = Measured { report: QueryReport::new(query.number), answers: Vec::new(), datafusion: None };
    for iteration in 0..iterations {
        let peer_first = (u32::from(query.number) + iteration).is_multiple_of(2);
        if peer_first {
            measure_peer(&mut measured, peer, query).await;
        }
        match sluice.run(query).await {
            Ok(answer) => {
                measured.report.rows = Some(answer.row_count());
                measured.report.seconds.push(answer.seconds);
                measured.answers.push(answer);
            }
            Err(error) => measured.report.error = Some(error.to_string()),
        }
        if !peer_first {
            measure_peer(&mut measured, peer, query).await;
        }
        if measured.report.error.is_some() {
            break;
        }
    }
    measured.report.finish_times();
    measured
}

async fn measure_peer(measured: &mut Measured, peer: Option<&Engine<'_>>, query: &Query) {
    let Some(peer) = peer else { return };
    // A peer that fails has no time; if its rows are asked for, it runs once more and the verdict says why it failed.
    if let Ok(answer) = peer.run(query).await {
        measured.report.datafusion_seconds.push(answer.seconds);
        measured.datafusion = Some(answer);
    }
}

fn empty_report(options: &TpchOptions, data: &TpchData) -> TpchReport {
    TpchReport {
        benchmark: "tpch",
        scale: options.scale,
        iterations: options.iterations,
        master: options.master.clone(),
        command: std::env::args().collect::<Vec<_>>().join(" "),
        version: env!("CARGO_PKG_VERSION"),
        datafusion_version: datafusion::DATAFUSION_VERSION,
        duckdb_version: None,
        data_dir: data.dir.display().to_string(),
        generated_seconds: data.generated_seconds,
        machine: Machine::current(),
        verify: options.verify,
        duckdb_unavailable: None,
        queries: Vec::new(),
    }
}
