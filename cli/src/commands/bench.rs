//! `sluice bench`: measures, verifies, and says where the reports went.

use std::path::{Path, PathBuf};

use sluice::{Error, ErrorCode, Result};
use sluice_bench::features::{self, FeatureOptions, StepReport};
use sluice_bench::skew::{self, Distribution, SkewOptions};
use sluice_bench::sql::{self, Benchmark, Memory, QueryReport, SqlOptions};

use crate::args::{BenchSqlArgs, FeaturePeer, FeaturesArgs, MemoryLimit, SkewArgs, SkewPeer, SqlPeer};
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::output::{Format, Output, note};
use crate::session;

/// Where feature functions run if nothing says so: on one core, so that rates are rates of a core.
const ONE_CORE: &str = "local[1]";
/// The exit code of a run with a wrong or failed query or step: its reports are written all the same.
const NOT_VERIFIED: u8 = 2;

pub(super) async fn sql(
    benchmark: Benchmark,
    arguments: BenchSqlArgs,
    quiet: bool,
) -> std::result::Result<(), Failure> {
    let options = SqlOptions {
        scale: arguments.scale,
        queries: arguments.queries.map_or_else(Vec::new, |list| list.0),
        iterations: arguments.iterations,
        verify: arguments.verify,
        against: arguments.against.into_iter().map(sql_peer).collect(),
        data_dir: arguments.data.map_or_else(|| default_data_folder(benchmark.name()), Ok)?,
        master: session::master(&arguments.session)?,
        settings: session::session_settings(&arguments.session)?,
        memory: match arguments.memory {
            None => Memory::AsSet,
            Some(MemoryLimit::Bytes(bytes)) => Memory::Bytes(bytes),
            Some(MemoryLimit::Share(share)) => Memory::Share(share),
        },
        ..SqlOptions::new(benchmark)
    };
    if !quiet {
        note(&format!("{} at scale {} in {}", benchmark.title(), options.scale, options.data_dir.display()));
    }
    let say_time = |query: &QueryReport| {
        if !quiet {
            note(&query_line(query));
        }
    };
    let work = async { Ok::<_, Failure>(sql::run_with_progress(&options, say_time).await?) };
    let report = Interrupts::listen().guard(work).await?;
    let page = report.to_markdown();
    write_reports(&report.to_json()?, &page, arguments.json.as_deref(), arguments.markdown.as_deref())?;
    Output::standard(Format::Table)?.text(&page)?;
    if report.is_success() { Ok(()) } else { Err(Failure::Said(NOT_VERIFIED)) }
}

/// Answers a benchmark's requests until it closes the input.
pub(super) async fn peer() -> std::result::Result<(), Failure> {
    let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
    sql::serve_datafusion(input, output).await.map_err(|error| {
        Failure::from(Error::new(ErrorCode::Internal, "the benchmark's requests cannot be answered").caused_by(error))
    })
}

fn sql_peer(peer: SqlPeer) -> sql::Peer {
    match peer {
        SqlPeer::Datafusion => sql::Peer::DataFusion,
        SqlPeer::Duckdb => sql::Peer::DuckDb,
        SqlPeer::Polars => sql::Peer::Polars,
        SqlPeer::Spark => sql::Peer::Spark,
        SqlPeer::Sail => sql::Peer::Sail,
    }
}

pub(super) async fn features(mut arguments: FeaturesArgs, quiet: bool) -> std::result::Result<(), Failure> {
    arguments.session.master.get_or_insert_with(|| ONE_CORE.to_owned());
    let options = FeatureOptions {
        rows: arguments.rows,
        iterations: arguments.iterations,
        functions: arguments.functions,
        against: arguments.against.into_iter().map(library).collect(),
        data_dir: arguments.data.map_or_else(|| default_data_folder("features"), Ok)?,
        master: session::master(&arguments.session)?,
    };
    let interrupts = Interrupts::listen();
    let work = session::with(&arguments.session, async |session| {
        if !quiet {
            note(&format!("Feature functions on {} rows in {}", options.rows, options.data_dir.display()));
        }
        let say_time = |step: &StepReport| {
            if !quiet {
                note(&step_line(step));
            }
        };
        Ok(features::run_with_progress(&session, &options, say_time).await?)
    });
    let report = interrupts.guard(work).await?;
    let page = report.to_markdown();
    write_reports(&report.to_json()?, &page, arguments.json.as_deref(), arguments.markdown.as_deref())?;
    Output::standard(Format::Table)?.text(&page)?;
    if report.failed() == 0 { Ok(()) } else { Err(Failure::Said(NOT_VERIFIED)) }
}

pub(super) async fn skew(mut arguments: SkewArgs, quiet: bool) -> std::result::Result<(), Failure> {
    arguments.session.master.get_or_insert_with(one_core_each);
    let distributions: Result<_> = arguments.distributions.iter().map(|name| Distribution::named(name)).collect();
    let options = SkewOptions {
        rows: arguments.rows,
        partitions: arguments.partitions,
        distributions: distributions?,
        steps: arguments.steps,
        iterations: arguments.iterations,
        against: arguments.against.into_iter().map(engine).collect(),
        data_dir: arguments.data.map_or_else(|| default_data_folder("skew"), Ok)?,
        master: session::master(&arguments.session)?,
    };
    let interrupts = Interrupts::listen();
    let work = session::with(&arguments.session, async |session| {
        if !quiet {
            note(&format!("Skew of {} rows in {}", options.rows, options.data_dir.display()));
        }
        let say_time = |step: &skew::StepReport| {
            if !quiet {
                note(&skew_line(step));
            }
        };
        Ok(skew::run_with_progress(&session, &options, say_time).await?)
    });
    let report = interrupts.guard(work).await?;
    let page = report.to_markdown();
    write_reports(&report.to_json()?, &page, arguments.json.as_deref(), arguments.markdown.as_deref())?;
    Output::standard(Format::Table)?.text(&page)?;
    if report.failed() == 0 { Ok(()) } else { Err(Failure::Said(NOT_VERIFIED)) }
}

/// A cluster whose executors have one core each. One with more would put several partitions into one task, whose time says
/// nothing about a single partition.
fn one_core_each() -> String {
    format!("local-cluster[{}]", std::thread::available_parallelism().map_or(1, usize::from))
}

fn engine(peer: SkewPeer) -> skew::Peer {
    match peer {
        SkewPeer::Spark => skew::Peer::Spark,
        SkewPeer::SparkSalted => skew::Peer::SparkSalted,
    }
}

fn skew_line(step: &skew::StepReport) -> String {
    let time = |run: &Option<skew::Run>| match run {
        Some(run) => match (&run.error, run.median_seconds) {
            (Some(error), _) => error.clone(),
            (None, Some(seconds)) => format!("{seconds:.2} s"),
            (None, None) => "no time".to_owned(),
        },
        None => "n/a".to_owned(),
    };
    format!("{} {}: off {}, on {}", step.distribution, step.step, time(&step.off), time(&step.on))
}

fn library(peer: FeaturePeer) -> features::Peer {
    match peer {
        FeaturePeer::Sklearn => features::Peer::ScikitLearn,
        FeaturePeer::CategoryEncoders => features::Peer::CategoryEncoders,
        FeaturePeer::Optbinning => features::Peer::Optbinning,
        FeaturePeer::Polars => features::Peer::Polars,
        FeaturePeer::Spark => features::Peer::Spark,
    }
}

fn step_line(step: &StepReport) -> String {
    match (&step.error, step.million_values_per_second) {
        (Some(error), _) => format!("{}: {error}", step.name),
        (None, Some(rate)) => format!("{}: {rate:.1} M values/s", step.name),
        (None, None) => format!("{}: no time", step.name),
    }
}

fn query_line(query: &QueryReport) -> String {
    match (&query.error, query.median_seconds) {
        (Some(error), _) => format!("q{}: {error}", query.number),
        (None, Some(seconds)) => format!("q{}: {seconds:.3} s", query.number),
        (None, None) => format!("q{}: no time", query.number),
    }
}

fn default_data_folder(benchmark: &str) -> Result<PathBuf> {
    let cache = dirs::cache_dir().ok_or_else(|| {
        Error::new(ErrorCode::InvalidArgument, "there is no folder for the benchmark's data")
            .hint("name one with --data")
    })?;
    Ok(cache.join("sluice").join(benchmark))
}

fn write_reports(report: &str, page: &str, json: Option<&Path>, markdown: Option<&Path>) -> Result<()> {
    if let Some(path) = json {
        write(path, report)?;
    }
    if let Some(path) = markdown {
        write(path, page)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorCode::FileNotFound,
            std::io::ErrorKind::PermissionDenied => ErrorCode::AccessDenied,
            std::io::ErrorKind::StorageFull => ErrorCode::DiskFull,
            _ => ErrorCode::Storage,
        };
        Error::new(code, format!("cannot write {}", path.display())).caused_by(error)
    })
}
