//! `sluice bench`: measures, verifies, and says where the reports went.

use std::path::{Path, PathBuf};

use sluice::{Error, ErrorCode, Result};
use sluice_bench::tpch::{self, QueryReport, TpchOptions, TpchReport};

use crate::args::{Peer, TpchArgs};
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::output::{Format, Output, note};
use crate::session;

/// The queries of TPC-H.
const ALL_QUERIES: std::ops::RangeInclusive<u8> = 1..=22;
/// The exit code of a run with a wrong or failed query: its reports are written all the same.
const NOT_VERIFIED: u8 = 2;

pub(super) async fn tpch(arguments: TpchArgs, quiet: bool) -> std::result::Result<(), Failure> {
    let master = session::master(&arguments.session)?;
    let options = TpchOptions {
        scale: arguments.scale,
        queries: arguments.queries.map_or_else(|| ALL_QUERIES.collect(), |list| list.0),
        iterations: arguments.iterations,
        verify: arguments.verify,
        against_datafusion: arguments.against.contains(&Peer::Datafusion),
        data_dir: arguments.data.map_or_else(default_data_folder, Ok)?,
        master,
    };
    let interrupts = Interrupts::listen();
    let work = session::with(&arguments.session, async |session| {
        if !quiet {
            note(&format!("TPC-H at scale {} in {}", options.scale, options.data_dir.display()));
        }
        let say_time = |query: &QueryReport| {
            if !quiet {
                note(&query_line(query));
            }
        };
        Ok(tpch::run_with_progress(&session, &options, say_time).await?)
    });
    let report = interrupts.guard(work).await?;
    write_reports(&report, arguments.json.as_deref(), arguments.markdown.as_deref())?;
    Output::standard(Format::Table)?.text(&report.to_markdown())?;
    if report.is_success() { Ok(()) } else { Err(Failure::Said(NOT_VERIFIED)) }
}

fn query_line(query: &QueryReport) -> String {
    match (&query.error, query.median_seconds) {
        (Some(error), _) => format!("q{}: {error}", query.number),
        (None, Some(seconds)) => format!("q{}: {seconds:.3} s", query.number),
        (None, None) => format!("q{}: no time", query.number),
    }
}

fn default_data_folder() -> Result<PathBuf> {
    let cache = dirs::cache_dir().ok_or_else(|| {
        Error::new(ErrorCode::InvalidArgument, "there is no folder for the benchmark's data")
            .hint("name one with --data")
    })?;
    Ok(cache.join("sluice").join("tpch"))
}

fn write_reports(report: &TpchReport, json: Option<&Path>, markdown: Option<&Path>) -> Result<()> {
    if let Some(path) = json {
        write(path, &report.to_json()?)?;
    }
    if let Some(path) = markdown {
        write(path, &report.to_markdown())?;
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
