//! Other engines, each in a process of its own, asked one query at a time over its standard input and output.
//!
//! A request and an answer are a line of JSON each. `peers/sql.py` answers for engines that come as Python packages
//! ([`PYTHON`] says where they are looked for), and `sluice bench peer` for DataFusion as it comes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{Query, SqlData};
use crate::python::interpreter;

const SCRIPT: &str = include_str!("../../peers/sql.py");
/// Limit for the start of a peer; Spark takes some seconds.
const START_TIMEOUT: Duration = Duration::from_secs(180);
/// Limit for a query. A peer that takes longer is stopped, and started again for the next query.
const QUERY_TIMEOUT: Duration = Duration::from_secs(900);

/// An engine to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// DataFusion with its default settings.
    DataFusion,
    /// DuckDB.
    DuckDb,
    /// Polars, its SQL over lazy frames.
    Polars,
    /// Apache Spark.
    Spark,
    /// Sail.
    Sail,
}

impl Peer {
    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::DataFusion => "datafusion",
            Self::DuckDb => "duckdb",
            Self::Polars => "polars",
            Self::Spark => "spark",
            Self::Sail => "sail",
        }
    }
}

/// What a peer gets before its first query.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    pub(super) tables: std::collections::BTreeMap<String, PathBuf>,
    pub(super) threads: usize,
    pub(super) memory_bytes: Option<u64>,
}

/// What a peer says to its [`Setup`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ready {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unavailable: Option<String>,
}

/// One query to run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) setup: Vec<String>,
    pub(super) select: String,
    pub(super) cleanup: Vec<String>,
    /// The file that the rows go to, after the clock has stopped.
    pub(super) result: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Outcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// A peer's process. It is killed when this is dropped.
pub(super) struct Process {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Holds the script and what the peer says on its error output.
    scratch: TempDir,
    /// The peer's version.
    pub(super) version: String,
}

impl Process {
    /// Starts a peer over the tables; the error is the reason in one line.
    pub(super) async fn start(peer: Peer, data: &SqlData, memory_bytes: Option<u64>) -> Result<Self, String> {
        let scratch = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
        let said = std::fs::File::create(scratch.path().join("stderr"))
            .map_err(|error| format!("no file for its messages: {error}"))?;
        let mut child = command(peer, scratch.path())?
            .current_dir(scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(said))
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("it cannot be started: {error}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("it has no input or output".to_owned());
        };
        let output = BufReader::new(output).lines();
        let mut process = Self { child, input, output, scratch, version: String::new() };
        let tables = data.tables.iter().map(|table| ((*table).to_owned(), data.table_dir(table))).collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let ready: Ready = process.ask(&Setup { tables, threads, memory_bytes }, START_TIMEOUT).await?;
        match (ready.version, ready.unavailable) {
            (Some(version), None) => process.version = version,
            (_, reason) => return Err(reason.unwrap_or_else(|| "no reason given".to_owned())),
        }
        Ok(process)
    }

    /// The process's number, if it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Runs a query. A failure of the query is in the outcome; an error means that the process is of no more use.
    pub(super) async fn run(&mut self, query: &Query, result: Option<&Path>) -> Result<Outcome, String> {
        let request = Request {
            setup: query.setup.clone(),
            select: query.select.clone(),
            cleanup: query.cleanup.clone(),
            result: result.map(Path::to_path_buf),
        };
        self.ask(&request, QUERY_TIMEOUT).await
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &mut self,
        request: &impl Serialize,
        limit: Duration,
    ) -> Result<T, String> {
        let mut line = serde_json::to_string(request).map_err(|error| format!("no request: {error}"))?;
        line.push('\n');
        let exchange = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.flush().await?;
            self.output.next_line().await
        };
        let answer = match tokio::time::timeout(limit, exchange).await {
            Ok(Ok(Some(answer))) => answer,
            Ok(Ok(None) | Err(_)) => return Err(self.last_words()),
            Err(_) => return Err(format!("it did not end within {} s", limit.as_secs())),
        };
        serde_json::from_str(&answer).map_err(|error| format!("its answer cannot be read: {error}"))
    }

    /// The last line of its error output.
    fn last_words(&self) -> String {
        let said = std::fs::read(self.scratch.path().join("stderr")).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        format!("its process ended: {}", line.chars().take(300).collect::<String>())
    }
}

fn command(peer: Peer, scratch: &Path) -> Result<Command, String> {
    if peer == Peer::DataFusion {
        let program = sluice::program().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["bench", "peer"]);
        return Ok(command);
    }
    let script = scratch.join("sql.py");
    std::fs::write(&script, SCRIPT).map_err(|error| format!("the script cannot be written: {error}"))?;
    let mut command = Command::new(interpreter());
    command.arg(script).arg(peer.name());
    Ok(command)
}
