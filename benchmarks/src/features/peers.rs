//! Other libraries, each in a Python process of its own that may use one core.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::generate::{CRITEO, DOCS, FeatureData};
use super::report::{PeerOutcome, PeerReport};
use super::steps::Step;
use crate::python::Script;

/// Limit for one iteration of a step.
const STEP_SECONDS: u32 = 120;
/// Each library runs on one core, and so do those below it.
const SCRIPT: Script<'static> = Script {
    name: "features.py",
    text: include_str!("../../peers/features.py"),
    environment: &[
        ("POLARS_MAX_THREADS", "1"),
        ("OMP_NUM_THREADS", "1"),
        ("OPENBLAS_NUM_THREADS", "1"),
        ("MKL_NUM_THREADS", "1"),
        ("NUMBA_NUM_THREADS", "1"),
    ],
    timeout: Duration::from_secs(2 * 3600),
};

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
    let job = json!({
        "peer": name,
        "criteo": data.table_dir(CRITEO),
        "docs": data.table_dir(DOCS),
        "steps": steps.iter().map(|step| step.name).collect::<Vec<_>>(),
        "iterations": iterations,
        "limit_seconds": STEP_SECONDS,
    });
    match SCRIPT.run::<Outcome>(job).await {
        Ok(outcome) => {
            let report = PeerReport { peer: name, version: outcome.version, unavailable: outcome.unavailable };
            (report, outcome.steps)
        }
        Err(reason) => (PeerReport { peer: name, version: None, unavailable: Some(reason) }, BTreeMap::new()),
    }
}
