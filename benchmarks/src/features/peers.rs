//! Other libraries, each in a Python process of its own that may use one core.
//!
//! `PEERS_PYTHON` names another interpreter than `python3`.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

use super::generate::{CRITEO, DOCS, FeatureData};
use super::report::{PeerOutcome, PeerReport};
use super::steps::Step;

const SCRIPT: &str = include_str!("../../peers/features.py");
/// Limit for one iteration of a step.
const STEP_SECONDS: u32 = 120;
/// Limit for all steps of a library together.
const TIMEOUT: Duration = Duration::from_secs(2 * 3600);
/// Characters of Python's complaint that a report shows.
const REASON_LENGTH: usize = 300;
/// What the libraries, and those below them, take for the number of their threads.
const THREADS: [&str; 5] =
    ["POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"];

/// A library to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// scikit-learn.
    ScikitLearn,
    /// category_encoders.
    CategoryEncoders,
    /// optbinning.
    Optbinning,
    /// Polars.
    Polars,
    /// Spark: MLlib, and SQL where that has the function.
    Spark,
}

impl Peer {
    /// The name in reports, which the script knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Peer::ScikitLearn => "sklearn",
            Peer::CategoryEncoders => "category_encoders",
            Peer::Optbinning => "optbinning",
            Peer::Polars => "polars",
            Peer::Spark => "spark",
        }
    }
}

#[derive(Deserialize)]
struct Outcome {
    version: Option<String>,
    unavailable: Option<String>,
    steps: BTreeMap<String, PeerOutcome>,
}

/// Asks a library for the steps that it has. A library that cannot be asked has a reason and no steps.
pub(super) async fn ask(
    peer: Peer,
    data: &FeatureData,
    steps: &[Step],
    iterations: u32,
) -> (PeerReport, BTreeMap<String, PeerOutcome>) {
    let name = peer.name();
    match run_script(name, data, steps, iterations).await {
        Ok(outcome) => {
            let report = PeerReport { peer: name, version: outcome.version, unavailable: outcome.unavailable };
            (report, outcome.steps)
        }
        Err(reason) => (PeerReport { peer: name, version: None, unavailable: Some(reason) }, BTreeMap::new()),
    }
}

async fn run_script(name: &str, data: &FeatureData, steps: &[Step], iterations: u32) -> Result<Outcome, String> {
    let scratch = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let path = |name: &str| scratch.path().join(name);
    let job = json!({
        "peer": name,
        "criteo": data.table_dir(CRITEO),
        "docs": data.table_dir(DOCS),
        "steps": steps.iter().map(|step| step.name).collect::<Vec<_>>(),
        "iterations": iterations,
        "limit_seconds": STEP_SECONDS,
        "output": path("outcome.json"),
    });
    fs::write(path("features.py"), SCRIPT)
        .and_then(|()| fs::write(path("job.json"), job.to_string()))
        .map_err(|error| format!("the script cannot be written: {error}"))?;
    let python = std::env::var_os("PEERS_PYTHON").unwrap_or_else(|| "python3".into());
    let process = Command::new(&python)
        .arg(path("features.py"))
        .arg(path("job.json"))
        .envs(THREADS.map(|variable| (variable, "1")))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(TIMEOUT, process)
        .await
        .map_err(|_| format!("the steps did not end within {} s", TIMEOUT.as_secs()))?
        .map_err(|error| format!("{} cannot be run: {error}", python.to_string_lossy()))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let last_line: String = complaint.lines().last().unwrap_or_default().chars().take(REASON_LENGTH).collect();
        return Err(format!("the script ended with {}: {last_line}", output.status));
    }
    let text =
        fs::read_to_string(path("outcome.json")).map_err(|error| format!("the script left no outcome: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("the script's outcome cannot be read: {error}"))
}
