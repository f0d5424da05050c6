//! What a run found, for people (Markdown) and for programs (JSON).

use serde::Serialize;
use sluice::{Error, ErrorCode, Result};

use crate::machine::Machine;
use crate::statistics::median;

mod markdown;

/// One step of a run.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    /// Name of the step, which `--functions` takes.
    pub name: &'static str,
    /// The functions that the step calls.
    pub functions: Vec<&'static str>,
    /// What it works on, `26 texts` for instance.
    pub input: String,
    /// Rows that it reads.
    pub rows: u64,
    /// Values that it reads: rows times columns.
    pub values: u64,
    /// Bytes of these values: 8 for a number, its own length for a text.
    pub input_bytes: u64,
    /// Time of each iteration from the text of the statement to the last row, in seconds.
    pub seconds: Vec<f64>,
    /// Median of these; nothing if the step failed.
    pub median_seconds: Option<f64>,
    /// Median of the part of these before the first row was asked for, in seconds.
    pub planning_seconds: Option<f64>,
    /// Millions of values in a second, without the planning.
    pub million_values_per_second: Option<f64>,
    /// Megabytes of input in a second, without the planning.
    pub megabytes_per_second: Option<f64>,
    /// The same as a share of what the memory copies.
    pub memory_share: Option<f64>,
    /// Why the step failed.
    pub error: Option<String>,
    /// The peers that have the step.
    pub peers: Vec<PeerTime>,
}

impl StepReport {
    /// Works out the figures from the times.
    pub(super) fn finish(&mut self, planning: &[f64], copy_bytes_per_second: f64) {
        if self.error.is_some() {
            return;
        }
        self.median_seconds = median(&self.seconds);
        self.planning_seconds = median(planning);
        let executing: Vec<f64> = self.seconds.iter().zip(planning).map(|(all, planning)| all - planning).collect();
        let Some(seconds) = median(&executing).filter(|seconds| *seconds > 0.0) else { return };
        self.million_values_per_second = Some(self.values as f64 / seconds / 1e6);
        self.megabytes_per_second = Some(self.input_bytes as f64 / seconds / 1e6);
        self.memory_share = Some(self.input_bytes as f64 / seconds / copy_bytes_per_second);
    }

    /// Adds a peer's times, and how they compare for each value.
    pub(super) fn add_peer(&mut self, peer: &'static str, outcome: PeerOutcome) {
        let seconds = median(&outcome.seconds);
        let per_value = |seconds: f64, values: u64| seconds / values.max(1) as f64;
        let least = seconds.or(outcome.stopped_after_seconds);
        let ratio = self
            .median_seconds
            .zip(least)
            .map(|(own, other)| per_value(other, outcome.values) / per_value(own, self.values));
        self.peers.push(PeerTime {
            peer,
            median_seconds: seconds,
            values: outcome.values,
            ratio,
            stopped_after_seconds: outcome.stopped_after_seconds,
            error: outcome.error,
        });
    }
}

/// A peer's answer about a step.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct PeerOutcome {
    pub(super) seconds: Vec<f64>,
    pub(super) values: u64,
    pub(super) stopped_after_seconds: Option<f64>,
    pub(super) error: Option<String>,
}

/// A step as another library does it.
#[derive(Debug, Clone, Serialize)]
pub struct PeerTime {
    /// The library.
    pub peer: &'static str,
    /// Median of its iterations, in seconds.
    pub median_seconds: Option<f64>,
    /// Values that it read; fewer than Sluice where all would take minutes.
    pub values: u64,
    /// Its time for a value divided by Sluice's: above 1 Sluice is faster. A lower bound if it was stopped.
    pub ratio: Option<f64>,
    /// When it was stopped, if it was.
    pub stopped_after_seconds: Option<f64>,
    /// Why it has no time.
    pub error: Option<String>,
}

/// A library that was asked.
#[derive(Debug, Clone, Serialize)]
pub struct PeerReport {
    /// The library.
    pub peer: &'static str,
    /// Its version.
    pub version: Option<String>,
    /// Why it could not be asked.
    pub unavailable: Option<String>,
}

/// A run of the feature functions.
#[derive(Debug, Clone, Serialize)]
pub struct FeatureReport {
    /// Always `features`.
    pub benchmark: &'static str,
    /// Rows of the table.
    pub rows: u64,
    /// Rows of the text set.
    pub documents: u64,
    /// How often each step ran, after once to warm up.
    pub iterations: u32,
    /// Where the steps ran, as given to `--master`.
    pub master: String,
    /// The command line of this process.
    pub command: String,
    /// Version of this package.
    pub version: &'static str,
    /// Folder of the data set.
    pub data_dir: String,
    /// How long the data took to make, or nothing if it was there already.
    pub generated_seconds: Option<f64>,
    /// The machine of this process.
    pub machine: Machine,
    /// Bytes that one core copies from memory to memory in a second.
    pub copy_bytes_per_second: f64,
    /// The libraries that were asked, in the order of their columns.
    pub peers: Vec<PeerReport>,
    /// The steps, in the order in which they ran.
    pub steps: Vec<StepReport>,
}

impl FeatureReport {
    /// Steps that failed.
    pub fn failed(&self) -> usize {
        self.steps.iter().filter(|step| step.error.is_some()).count()
    }

    /// The report as JSON, with line breaks.
    ///
    /// # Errors
    /// None that a report of this benchmark gives cause to.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map_err(|error| Error::new(ErrorCode::Internal, "the report cannot be written").caused_by(error))
    }

    /// The report as Markdown: facts, a table of the steps, and what went wrong.
    pub fn to_markdown(&self) -> String {
        markdown::render(self)
    }
}

#[cfg(test)]
mod tests;
