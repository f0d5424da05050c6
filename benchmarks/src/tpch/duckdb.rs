//! DuckDB as an independent judge: it runs the same queries over the same files in a process of its own.
//!
//! It comes through Python's `duckdb` package where that is installed. `DUCKDB_PYTHON` names another interpreter
//! than `python3`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

use super::generate::TpchData;
use super::queries::Query;
use crate::rows::RowSet;

const SCRIPT: &str = include_str!("../../peers/duckdb_tpch.py");
/// Limit for all queries together.
const TIMEOUT: Duration = Duration::from_secs(2 * 3600);
/// Characters of Python's complaint that a report shows.
const REASON_LENGTH: usize = 300;

/// What DuckDB answered.
pub(crate) struct Answers {
    /// DuckDB's version.
    pub(crate) version: String,
    /// For each query its rows, or why there are none.
    pub(crate) rows: BTreeMap<u8, Result<RowSet, String>>,
}

#[derive(Deserialize)]
struct Outcome {
    version: Option<String>,
    unavailable: Option<String>,
    failures: BTreeMap<u8, String>,
}

/// Runs the queries in DuckDB; the error is the reason why it could not be asked.
pub(crate) async fn answers(data: &TpchData, queries: &[Query]) -> Result<Answers, String> {
    let scratch = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    run_script(scratch.path(), data, queries).await?;
    let text = fs::read_to_string(scratch.path().join("outcome.json"))
        .map_err(|error| format!("the script left no outcome: {error}"))?;
    let mut outcome: Outcome =
        serde_json::from_str(&text).map_err(|error| format!("the script's outcome cannot be read: {error}"))?;
    let Some(version) = outcome.version else {
        return Err(outcome.unavailable.unwrap_or_else(|| "no reason given".to_owned()));
    };
    let rows = queries.iter().map(|query| {
        let rows = match outcome.failures.remove(&query.number) {
            Some(reason) => Err(reason),
            None => read_rows(&scratch.path().join(format!("q{}.parquet", query.number))),
        };
        (query.number, rows)
    });
    Ok(Answers { version, rows: rows.collect() })
}

async fn run_script(scratch: &Path, data: &TpchData, queries: &[Query]) -> Result<(), String> {
    let tables: BTreeMap<_, _> = data.tables.iter().map(|table| (&table.name, data.table_dir(&table.name))).collect();
    let queries: Vec<_> = queries
        .iter()
        .map(|query| {
            json!({
                "number": query.number, "setup": query.setup, "select": query.select, "cleanup": query.cleanup,
            })
        })
        .collect();
    let job = json!({ "tables": tables, "queries": queries, "output": scratch });
    let (script, job_file) = (scratch.join("duckdb_tpch.py"), scratch.join("job.json"));
    fs::write(&script, SCRIPT)
        .and_then(|()| fs::write(&job_file, job.to_string()))
        .map_err(|error| format!("the script cannot be written: {error}"))?;
    let python = std::env::var_os("DUCKDB_PYTHON").unwrap_or_else(|| "python3".into());
    let process = Command::new(&python)
        .arg(&script)
        .arg(&job_file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(TIMEOUT, process)
        .await
        .map_err(|_| format!("the queries did not end within {} s", TIMEOUT.as_secs()))?
        .map_err(|error| format!("{} cannot be run: {error}", python.to_string_lossy()))?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let last_line: String = complaint.lines().last().unwrap_or_default().chars().take(REASON_LENGTH).collect();
    Err(format!("the script ended with {}: {last_line}", output.status))
}

fn read_rows(path: &Path) -> Result<RowSet, String> {
    let failed = |error: &dyn std::fmt::Display| format!("its result cannot be read: {error}");
    let file = File::open(path).map_err(|error| failed(&error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| failed(&error))?;
    let schema = builder.schema().clone();
    let reader = builder.build().map_err(|error| failed(&error))?;
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().map_err(|error| failed(&error))?;
    RowSet::new(&schema, &batches).map_err(|error| failed(&error))
}
