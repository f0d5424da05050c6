//! Spark over the same files, as it comes and with the skew handled by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::generate::SkewData;
use super::report::{PeerOutcome, PeerReport};
use super::steps::{DIMENSION, FACT, Step, WRITTEN};
use crate::python::Script;

/// Limit for one run of a step.
const STEP_SECONDS: u32 = 600;
const SCRIPT: Script<'static> = Script {
    name: "skew.py",
    text: include_str!("../../peers/skew.py"),
    environment: &[],
    timeout: Duration::from_secs(4 * 3600),
};

/// An engine to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Spark with adaptive execution, which it has by default.
    Spark,
    /// The same with statements that spread the keys by hand, where there is such a statement.
    SparkSalted,
}

impl Peer {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spark => "spark",
            Self::SparkSalted => "spark-salted",
        }
    }

    fn statement(self, step: &Step) -> Option<&str> {
        match self {
            Self::Spark => Some(step.spark.as_ref().unwrap_or(&step.statement)),
            Self::SparkSalted => step.salted.as_ref(),
        }
        .map(String::as_str)
    }
}

#[derive(Deserialize)]
struct Outcome {
    version: Option<String>,
    unavailable: Option<String>,
    steps: BTreeMap<String, PeerOutcome>,
}

/// Asks a peer for the steps that it has. One that cannot be asked has a reason and no steps.
pub(super) async fn ask(
    peer: Peer,
    data: &SkewData,
    steps: &[Step],
    partitions: u64,
    iterations: u32,
) -> (PeerReport, BTreeMap<String, PeerOutcome>) {
    let asked = steps.iter().filter_map(|step| {
        let statement = peer.statement(step)?;
        Some(json!({ "name": step.name, "statement": statement, "check": step.check }))
    });
    let job = json!({
        "tables": { FACT: data.fact_dir, DIMENSION: data.dimension_dir },
        "written": WRITTEN,
        "steps": asked.collect::<Vec<_>>(),
        "partitions": partitions,
        "iterations": iterations,
        "limit_seconds": STEP_SECONDS,
    });
    let name = peer.name();
    match SCRIPT.run::<Outcome>(job).await {
        Ok(outcome) => {
            let report = PeerReport { peer: name, version: outcome.version, unavailable: outcome.unavailable };
            (report, outcome.steps)
        }
        Err(reason) => (PeerReport { peer: name, version: None, unavailable: Some(reason) }, BTreeMap::new()),
    }
}
